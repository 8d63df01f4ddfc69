/** The charts of a report: their places in the page, and the data that its script draws. */
import { escapeMarkup } from '../display/markup.ts';
import type { ReportChart } from './report-input.ts';

/**
 * Points beyond this number are averaged in groups: a screen could not show them, and the file would grow with the run.
 */
const MOST_POINTS = 1000;

export function chartPlaces(charts: readonly ReportChart[]): string {
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
export function chartData({ steps, series, smooth = false }: ReportChart): object {
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
