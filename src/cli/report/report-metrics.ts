/** The parts of a report that show metrics: the outcome, the table of all metrics, the table of classes. */
import type { ClassMetrics, MeanMetrics } from '../../retrieval/metrics.ts';
import { escapeMarkup } from '../display/markup.ts';
import type { ReportEvaluation } from './report-input.ts';

/** mAP@all of each evaluation as a bar, and how many times the earlier ones the result is. */
export function outcome(evaluations: readonly ReportEvaluation[], task: string): string {
  if (evaluations.length === 0) return '';
  const best = evaluations.reduce((most, { metrics }) => Math.max(most, metrics.mapAll), -Infinity);
  const result = evaluations[evaluations.length - 1];
  const rows = evaluations.map((evaluation) => {
    const {
      name,
      metrics: { mapAll },
    } = evaluation;
    return `<div class="row${evaluation === result ? ' best' : ''}"><span>${escapeMarkup(name)}</span>${bar(mapAll / best)}<span class="figure">${decimal(mapAll)}</span></div>`;
  });
  const times = evaluations
    .slice(0, -1)
    .map(
      ({ name, metrics }) => `<b>${ratio(result.metrics.mapAll, metrics.mapAll)}</b> ${escapeMarkup(lowerFirst(name))}`,
    );
  const comparison = times.length === 0 ? '' : `<p>${escapeMarkup(result.name)}: ${times.join(', ')}</p>`;
  return `<div class="card outcome"><h3>Mean average precision (mAP@all), ${escapeMarkup(task)}</h3>${rows.join('')}${comparison}</div>`;
}

export function protocol(evaluations: readonly ReportEvaluation[]): string {
  if (evaluations.length === 0) return '';
  const { queries, skippedQueries, gallerySize, perClass, protocol } = evaluations[evaluations.length - 1].metrics;
  const skipped =
    skippedQueries === 0 ? '' : ` ${skippedQueries} queries have no picture of their class and are left out.`;
  return `${queries} queries of ${perClass.length} classes against ${gallerySize} pictures.${skipped} Protocol: ${escapeMarkup(protocol)}.`;
}

export function metricsTable(evaluations: readonly ReportEvaluation[]): string {
  if (evaluations.length === 0) return '';
  const result = evaluations[evaluations.length - 1];
  const earlier = evaluations.slice(0, -1);
  const head = [
    '<th>Metric</th>',
    ...evaluations.map(({ name }) => `<th class="number">${escapeMarkup(name)}</th>`),
    ...earlier.map(({ name }) => `<th class="number">to ${escapeMarkup(lowerFirst(name))}</th>`),
  ];
  const line = (label: string, value: (metrics: MeanMetrics) => number): string =>
    [
      `<tr><th>${label}</th>`,
      ...earlier.map(({ metrics }) => `<td class="number">${decimal(value(metrics))}</td>`),
      `<td class="number best">${decimal(value(result.metrics))}</td>`,
      ...earlier.map(({ metrics }) => `<td class="number">${ratio(value(result.metrics), value(metrics))}</td>`),
      '</tr>',
    ].join('');
  const cutoffs = result.metrics.atCutoff.map(({ k }, at) => ({ k, at }));
  const lines = [
    // mAP@1 is P@1.
    ...cutoffs.filter(({ k }) => k > 1).map(({ k, at }) => line(`mAP@${k}`, ({ atCutoff }) => atCutoff[at].map)),
    ...cutoffs.map(({ k, at }) => line(`P@${k}`, ({ atCutoff }) => atCutoff[at].precision)),
  ];
  return `<div class="card scroll"><table><thead><tr>${head.join('')}</tr></thead><tbody>${line('mAP@all', ({ mapAll }) => mapAll)}${lines.join('')}</tbody></table></div>`;
}

export function classTable(evaluations: readonly ReportEvaluation[], names: ReadonlyMap<number, string>): string {
  if (evaluations.length === 0) return '';
  const result = evaluations[evaluations.length - 1];
  const before = evaluations.length > 1 ? evaluations[evaluations.length - 2] : undefined;
  const mapBefore = new Map(before?.metrics.perClass.map(({ label, mapAll }) => [label, mapAll]));
  const classes = [...result.metrics.perClass].sort((a, b) => b.mapAll - a.mapAll || a.label - b.label);
  const line = ({ label, queries, mapAll, atCutoff }: ClassMetrics): string =>
    [
      `<tr><th>${escapeMarkup(names.get(label) ?? `class ${label}`)}</th>`,
      `<td class="number">${queries}</td>`,
      before === undefined ? '' : `<td class="number">${decimal(mapBefore.get(label) ?? NaN)}</td>`,
      `<td class="number">${decimal(mapAll)}</td><td>${bar(mapAll)}</td>`,
      ...atCutoff.map(({ precision }) => `<td class="number">${decimal(precision)}</td>`),
      '</tr>',
    ].join('');
  const head = `<th>Class</th><th class="number">Queries</th>${before === undefined ? '' : `<th class="number">${escapeMarkup(before.name)}</th>`}<th class="number">${escapeMarkup(result.name)}</th><th>mAP@all</th>${result.metrics.atCutoff.map(({ k }) => `<th class="number">P@${k}</th>`).join('')}`;
  return `<div class="card"><div class="scroll tall" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${classes.map(line).join('')}</tbody></table></div></div>`;
}

function bar(share: number): string {
  return `<div class="bar"><i style="width:${(100 * (Number.isFinite(share) ? share : 0)).toFixed(1)}%"></i></div>`;
}

function decimal(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3) : '–';
}

function ratio(value: number, to: number): string {
  return to > 0 ? `${(value / to).toFixed(1)}×` : '–';
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
