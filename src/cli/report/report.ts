/**
 * The report of a run: one HTML file that holds everything it shows and asks the network for nothing.
 * The contact sheet stands near the top, because it tells at a glance what no figure tells.
 */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { ClassMetrics, MeanMetrics, RetrievalMetrics } from '../../retrieval/metrics.ts';
import { encodePng, type ContactSheetRow, type SheetImage } from '../display/contact-sheet.ts';
import { drawMap, type EmbeddingMap } from './embedding-map.ts';
import { escapeMarkup } from '../display/markup.ts';
import { REPORT_SCRIPT, REPORT_STYLE } from './report-assets.ts';

/** A line of a table of two columns. */
export interface ReportFact {
  readonly name: string;
  readonly value: string;
}

/** Curves over the same steps; one chart should hold values of one kind. */
export interface ReportChart {
  readonly title: string;
  readonly steps: readonly number[];
  /** One value a step; null where there is none. */
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  /** Whether to draw a moving average over the values, as for the noisy loss of single batches. */
  readonly smooth?: boolean;
}

/** The metrics of one set of weights. */
export interface ReportEvaluation {
  readonly name: string;
  readonly metrics: RetrievalMetrics;
}

export interface ReportInput {
  readonly title: string;
  /** One or two sentences under the title: what was done, and how long it took. */
  readonly summary: string;
  /** What was run on what: adapter, driver, versions, times. */
  readonly facts: readonly ReportFact[];
  readonly settings: readonly ReportFact[];
  readonly charts: readonly ReportChart[];
  /**
   * From the plainest weights to the result: random, starting checkpoint, trained. The last is the result, to which
   * ratios refer.
   */
  readonly evaluations: readonly ReportEvaluation[];
  /** The name of each label of the metrics. */
  readonly classNames: ReadonlyMap<number, string>;
  readonly contactSheet: readonly ContactSheetRow[];
  /** What searches what; sketches of unseen classes search pictures where it is left out. */
  readonly task?: { readonly title: string; readonly queries: string };
  /** Embeddings of the classes that are searched for. */
  readonly map?: EmbeddingMap;
  /** Where the images come from, with their licences. */
  readonly credits?: readonly string[];
}

/**
 * Points beyond this number are averaged in groups: a screen could not show them, and the file would grow with the run.
 */
const MOST_POINTS = 1000;

const SKETCH_TASK = {
  title: 'sketch to picture, unseen classes',
  queries: 'Query sketches of classes that were never trained on',
};

/**
 * Makes the report's page.
 * @throws ContactSheetError where an image of the contact sheet is broken
 */
export async function renderReport(input: ReportInput): Promise<string> {
  const [plotScript, plotStyle, plotLicence, sheet] = await Promise.all([
    readPlot('dist/uPlot.iife.min.js'),
    readPlot('dist/uPlot.min.css'),
    readPlot('LICENSE'),
    contactSheet(input.contactSheet),
  ]);
  const charts = input.charts.map(chartData);
  const task = input.task ?? SKETCH_TASK;
  // The policy lets the browser itself vouch that nothing is loaded.
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>${escapeMarkup(input.title)}</title>
<style>${plotStyle}${REPORT_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escapeMarkup(input.title)}</h1>
<p class="lead">${escapeMarkup(input.summary)}</p>
${outcome(input.evaluations, task.title)}
</header>
${section('What it finds', `${escapeMarkup(task.queries)}, each with the pictures ranked best. Pictures of the query’s class are framed in green; the number is the cosine.`, sheet)}
${section(`Retrieval: ${escapeMarkup(task.title)}`, protocol(input.evaluations), metricsTable(input.evaluations))}
${section('How the embeddings lie', input.map === undefined ? '' : mapNote(input.map), input.map === undefined ? '' : mapFigure(input.map))}
${section('How it learned', 'Move over a chart to read the values of a step.', chartPlaces(input.charts))}
${section('Class by class', 'Means over the queries of each class, best first.', classTable(input.evaluations, input.classNames))}
${section('What was run', '', factTables(input))}
<footer>${(input.credits ?? []).map((credit) => `<p>${escapeMarkup(credit)}</p>`).join('')}<p>Charts: uPlot, Leon Sorokin, MIT.${input.map === undefined ? '' : ' Map: umap-js, Andy Coenen, MIT.'}</p></footer>
</main>
<script type="application/json" id="charts">${scriptJson(charts)}</script>
<script>/* uPlot. ${plotLicence} */
${plotScript}</script>
<script>${REPORT_SCRIPT}</script>
</body>
</html>
`;
}

function section(title: string, note: string, content: string): string {
  if (content === '') return '';
  return `<section><h2>${title}</h2>${note === '' ? '' : `<p class="note">${note}</p>`}${content}</section>`;
}

/** mAP@all of each evaluation as a bar, and how many times the earlier ones the result is. */
function outcome(evaluations: readonly ReportEvaluation[], task: string): string {
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

function protocol(evaluations: readonly ReportEvaluation[]): string {
  if (evaluations.length === 0) return '';
  const { queries, skippedQueries, gallerySize, perClass, protocol } = evaluations[evaluations.length - 1].metrics;
  const skipped =
    skippedQueries === 0 ? '' : ` ${skippedQueries} queries have no picture of their class and are left out.`;
  return `${queries} queries of ${perClass.length} classes against ${gallerySize} pictures.${skipped} Protocol: ${escapeMarkup(protocol)}.`;
}

/** What one should and should not read out of it. */
function mapNote({ points, classes, seed }: EmbeddingMap): string {
  const drawn = new Set(points.map(({ className }) => className)).size;
  const some = drawn < classes ? `${drawn} of ${classes} classes, evenly chosen` : `${classes} classes`;
  return `UMAP of ${points.length} embeddings of ${some} (seed ${seed}). Neighbours here are neighbours there; distances across the picture mean little. Where the network sees through the domains, a class’s sketches lie among its photos.`;
}

function mapFigure(map: EmbeddingMap): string {
  const classNames = [...new Set(map.points.map(({ className }) => className))];
  const buttons = classNames.map(
    (name, index) => `<button type="button" aria-pressed="false" data-class="${index}">${escapeMarkup(name)}</button>`,
  );
  const key =
    '<svg viewBox="0 0 12 12" aria-hidden="true"><path class="photo" d="M3 6a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z"/></svg> photo <svg viewBox="0 0 12 12" aria-hidden="true"><path class="drawn" d="M6 1.6l4.2 7.2h-8.4z"/></svg> sketch';
  return `<div class="card"><p class="key">${key}</p>${drawMap(map)}<div class="picks">${buttons.join('')}</div></div>`;
}

function metricsTable(evaluations: readonly ReportEvaluation[]): string {
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

function classTable(evaluations: readonly ReportEvaluation[], names: ReadonlyMap<number, string>): string {
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

function factTables({ facts, settings }: ReportInput): string {
  const table = (title: string, lines: readonly ReportFact[]): string =>
    lines.length === 0
      ? ''
      : `<div class="card"><h3>${title}</h3><table><tbody>${lines.map(({ name, value }) => `<tr><th>${escapeMarkup(name)}</th><td>${escapeMarkup(value)}</td></tr>`).join('')}</tbody></table></div>`;
  const tables = table('Machine and run', facts) + table('Settings', settings);
  return tables === '' ? '' : `<div class="pairs">${tables}</div>`;
}

async function contactSheet(rows: readonly ContactSheetRow[]): Promise<string> {
  if (rows.length === 0) return '';
  const drawn = await Promise.all(
    rows.map(async ({ label, query, results }) => {
      const pictures = await Promise.all(
        results.map(async (result, i) => {
          const label = escapeMarkup(result.label);
          return `<figure${result.hit ? ' class="hit"' : ''}>${await picture(result, `${result.label}, rank ${i + 1}${result.hit ? ', a hit' : ''}`)}<figcaption><span title="${label}">${label}</span><small>${result.score.toFixed(2)}</small></figcaption></figure>`;
        }),
      );
      return `<div class="query"><figure>${await picture(query, `sketch: ${label}`)}<figcaption>${escapeMarkup(label)}</figcaption></figure><div class="results">${pictures.join('')}</div></div>`;
    }),
  );
  return `<div class="card">${drawn.join('')}</div>`;
}

async function picture(image: SheetImage, description: string): Promise<string> {
  const png = Buffer.from(await encodePng(image, description)).toString('base64');
  return `<img width="${image.size}" height="${image.size}" alt="${escapeMarkup(description)}" src="data:image/png;base64,${png}">`;
}

function chartPlaces(charts: readonly ReportChart[]): string {
  if (charts.length === 0) return '';
  const legend = (series: ReportChart['series']): string =>
    series
      .map(
        ({ name }, i) =>
          `<span><i style="background:var(--series-${(i % 6) + 1})"></i>${escapeMarkup(name)}<b></b></span>`,
      )
      .join('');
  return `<div class="charts">${charts.map(({ title, series }) => `<div class="card chart"><h3>${escapeMarkup(title)}</h3><div class="canvas"></div><div class="legend">${legend(series)}</div></div>`).join('')}</div>`;
}

/** What the page's script draws: few enough points, rounded, and smoothed where asked. */
function chartData({ steps, series, smooth = false }: ReportChart): object {
  const group = Math.ceil(steps.length / MOST_POINTS);
  return {
    steps: groupMeans(steps, group),
    series: series.map(({ values }) => {
      const thinned = groupMeans(values, group);
      return smooth ? { values: thinned, smooth: movingAverage(thinned) } : { values: thinned };
    }),
  };
}

function groupMeans(values: readonly (number | null)[], group: number): (number | null)[] {
  return Array.from({ length: Math.ceil(values.length / group) }, (_, i) =>
    mean(values.slice(i * group, (i + 1) * group)),
  );
}

/** The mean over about a twentieth of the curve around each value. */
function movingAverage(values: readonly (number | null)[]): (number | null)[] {
  const reach = Math.ceil(values.length / 40);
  return values.map((_, i) => mean(values.slice(Math.max(0, i - reach), i + reach + 1)));
}

/** The mean of what is there, to the six digits that a chart can show at most. */
function mean(values: readonly (number | null)[]): number | null {
  const present = values.filter((value): value is number => value !== null && Number.isFinite(value));
  if (present.length === 0) return null;
  return Number((present.reduce((sum, value) => sum + value, 0) / present.length).toPrecision(6));
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

/** JSON that cannot end the script element it stands in. */
function scriptJson(value: object): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** A file of the uPlot package, by its path in there. */
async function readPlot(name: string): Promise<string> {
  const dist = path.dirname(createRequire(import.meta.url).resolve('uplot'));
  return readFile(path.join(dist, '..', name), 'utf8');
}
