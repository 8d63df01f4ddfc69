/** The style and the script of the report. Both are part of the page, which loads nothing. */

export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfcfb; --raised: #ffffff; --ink: #1b2220; --quiet: #69736f; --line: #e3e8e5; --track: #eef1ef;
  --accent: #12854a; --accent-soft: #e4f3ea;
  --series-1: #12854a; --series-2: #3a6ea8; --series-3: #c0762b; --series-4: #8b5ca8; --series-5: #b14a5a; --series-6: #69736f;
  --map-1: #0072b2; --map-2: #d55e00; --map-3: #009e73; --map-4: #a8457e; --map-5: #b07800; --map-6: #3a93c8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131816; --raised: #1a201e; --ink: #e6ebe8; --quiet: #93a09a; --line: #2b3431; --track: #242c29;
    --accent: #4cc286; --accent-soft: #1c3528;
    --series-1: #4cc286; --series-2: #7eabdf; --series-3: #e0a15c; --series-4: #bd95d8; --series-5: #e08896; --series-6: #93a09a;
    --map-1: #4da3e0; --map-2: #ff8a4c; --map-3: #2cc79b; --map-4: #e08fc0; --map-5: #e6b23c; --map-6: #8fd0f5;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%;
}
main { max-width: 70rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 4rem) clamp(1rem, 4vw, 2.5rem) 3rem; }
h1 { font-size: clamp(1.7rem, 4vw, 2.4rem); line-height: 1.15; letter-spacing: -0.02em; margin: 0 0 0.6rem; text-wrap: balance; }
h2 { font-size: 1.2rem; letter-spacing: -0.01em; margin: 0 0 0.3rem; }
h3 { font-size: 0.95rem; margin: 0 0 0.6rem; }
section { margin-top: clamp(2.5rem, 6vw, 4rem); }
p { margin: 0; max-width: 44rem; text-wrap: pretty; }
.lead { font-size: 1.1rem; color: var(--quiet); }
.note { color: var(--quiet); font-size: 0.9rem; margin-bottom: 1.2rem; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: 12px; padding: clamp(1rem, 3vw, 1.6rem); }

.outcome { display: grid; gap: 1.1rem; margin-top: 2.2rem; }
.outcome h3 { margin: 0; }
.outcome .row { display: grid; grid-template-columns: 11rem 1fr 6rem; align-items: center; gap: 0.4rem 1.2rem; color: var(--quiet); }
.outcome .row.best { color: var(--ink); font-weight: 600; }
.outcome .figure { text-align: right; font-size: 1.25rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.outcome .best .figure { font-size: 1.9rem; line-height: 1; color: var(--accent); letter-spacing: -0.02em; }
.outcome p { color: var(--quiet); border-top: 1px solid var(--line); padding-top: 1rem; max-width: none; }
.outcome p b { color: var(--ink); }
.bar { height: 0.9rem; border-radius: 3px; background: var(--track); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--quiet); opacity: 0.55; border-radius: 3px; }
.best .bar i { background: var(--accent); opacity: 1; }

.query { display: grid; grid-template-columns: 6.4rem 1fr; gap: 1.2rem; padding: 1rem 0; border-top: 1px solid var(--line); }
.query:first-of-type { border-top: 0; }
.results { display: grid; grid-template-columns: repeat(10, minmax(0, 1fr)); gap: 0.6rem; }
figure { margin: 0; min-width: 0; }
figure img { display: block; width: 100%; height: auto; aspect-ratio: 1; background: #fff; border-radius: 5px; outline: 1px solid var(--line); }
.query > figure img { outline: 1.5px solid var(--ink); }
figcaption { font-size: 0.76rem; line-height: 1.35; color: var(--quiet); margin-top: 0.45rem; }
figcaption span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
figcaption small { font-size: 0.7rem; font-weight: 400; color: var(--quiet); font-variant-numeric: tabular-nums; }
.query > figure figcaption { font-size: 0.9rem; font-weight: 600; color: var(--ink); overflow-wrap: anywhere; }
.hit { position: relative; }
.hit img { outline: 3px solid var(--accent); }
.hit figcaption { color: var(--accent); font-weight: 600; }
.hit::after {
  content: "\\2713"; position: absolute; top: -0.45rem; right: -0.35rem; width: 1.1rem; height: 1.1rem; border-radius: 50%;
  background: var(--accent); color: var(--raised); font-size: 0.7rem; font-weight: 700; line-height: 1.1rem; text-align: center;
}

.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.chart { min-width: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; font-size: 0.82rem; color: var(--quiet); margin-top: 0.5rem; }
.legend b { font-weight: 600; color: var(--ink); font-variant-numeric: tabular-nums; margin-left: 0.3rem; }
.legend i { display: inline-block; width: 0.9rem; height: 3px; border-radius: 2px; vertical-align: middle; margin-right: 0.4rem; }

.map { display: block; width: 100%; height: auto; }
.map .photo { fill: var(--mark); fill-opacity: 0.75; }
.map .drawn { fill: var(--raised); fill-opacity: 0.6; stroke: var(--mark); stroke-width: 1.5; }
.map text { font-size: 13px; font-weight: 600; text-anchor: middle; fill: var(--ink); stroke: var(--raised); stroke-width: 4px; paint-order: stroke; stroke-linejoin: round; }
.map.picked [data-class]:not(.on) { opacity: 0.12; }
.key { color: var(--quiet); font-size: 0.82rem; }
.key svg { width: 0.9rem; height: 0.9rem; vertical-align: middle; margin-left: 0.6rem; }
.key .photo { fill: var(--ink); }
.key .drawn { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.picks { display: flex; flex-wrap: wrap; gap: 0.35rem; margin-top: 1rem; }
.picks button { font: inherit; font-size: 0.8rem; color: var(--ink); background: var(--track); border: 1px solid var(--line); border-radius: 999px; padding: 0.15rem 0.7rem; cursor: pointer; }
.picks button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--raised); }

.scroll { overflow-x: auto; }
.tall { max-height: 30rem; overflow-y: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
th, td { padding: 0.5rem 0.8rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: middle; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child > * { border-bottom: 0; }
thead th, thead .number { white-space: normal; }
thead th { font-size: 0.8rem; font-weight: 600; color: var(--quiet); background: var(--raised); position: sticky; top: 0; vertical-align: bottom; }
tbody th { font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.best { font-weight: 700; color: var(--accent); }
td .bar { height: 0.5rem; min-width: 6rem; }
td .bar i { background: var(--accent); opacity: 1; }
.pairs { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); align-items: start; }
.pairs th { color: var(--quiet); font-weight: 400; width: 40%; }
.pairs td { overflow-wrap: anywhere; }
footer { margin-top: 3.5rem; padding-top: 1.2rem; border-top: 1px solid var(--line); color: var(--quiet); font-size: 0.82rem; }
footer p { max-width: none; margin-bottom: 0.3rem; }

@media (max-width: 44rem) {
  .outcome .row { grid-template-columns: 1fr auto; }
  .outcome .bar { grid-column: 1 / -1; grid-row: 2; }
  .query { grid-template-columns: 4.6rem 1fr; gap: 0.9rem; }
  .results { grid-template-columns: repeat(5, minmax(0, 1fr)); }
  .scroll table { font-size: 0.84rem; }
  .scroll th, .scroll td { padding-left: 0.3rem; padding-right: 0.3rem; }
  .scroll thead th { font-size: 0.72rem; }
  td .bar { min-width: 3rem; }
}
@media print { .tall { max-height: none; } .card { break-inside: avoid; } }
`;

/**
 * Draws each chart of the JSON in #charts into the element of the same place. Colors are read from the
 * style whenever uPlot draws, so that a change between light and dark needs only another drawing.
 */
export const REPORT_SCRIPT = `
'use strict';
const style = getComputedStyle(document.documentElement);
const color = (name) => () => style.getPropertyValue(name).trim();
const number = (value) => value == null ? '' : Number(value).toPrecision(3);
const axis = { stroke: color('--quiet'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };

function draw(place, chart) {
  const canvas = place.querySelector('.canvas');
  const values = [...place.querySelectorAll('.legend b')];
  // Each series is drawn twice, as measured (thin and pale) and smoothed, where it is smoothed.
  const lines = chart.series.flatMap((series, i) => {
    const stroke = color('--series-' + (i % 6 + 1));
    const smooth = { data: series.smooth || series.values, line: { stroke, width: 2, points: { show: chart.steps.length < 40 } }, index: i };
    return series.smooth ? [{ data: series.values, line: { stroke, width: 1, alpha: 0.25, points: { show: false } } }, smooth] : [smooth];
  });
  const show = (at) => lines.forEach(({ data, index }) => {
    if (index !== undefined) values[index].textContent = number(data[at]);
  });
  const size = () => ({ width: canvas.clientWidth, height: 240 });
  const plot = new uPlot({
    ...size(),
    scales: { x: { time: false } },
    axes: [{ ...axis, space: 70, size: 34 }, { ...axis, size: 52 }],
    series: [{}, ...lines.map(({ line }) => ({ spanGaps: true, ...line }))],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
    hooks: { setCursor: [(u) => show(u.cursor.idx ?? chart.steps.length - 1)] },
  }, [chart.steps, ...lines.map(({ data }) => data)], canvas);
  show(chart.steps.length - 1);
  new ResizeObserver(() => { if (canvas.clientWidth !== plot.width) plot.setSize(size()); }).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw());
}

const charts = JSON.parse(document.getElementById('charts').textContent);
document.querySelectorAll('.chart').forEach((place, i) => draw(place, charts[i]));

// A class that is picked stays; the others fade.
const map = document.querySelector('svg.map');
document.querySelectorAll('.picks button').forEach((button) => button.addEventListener('click', () => {
  const on = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', on);
  map.querySelectorAll('[data-class="' + button.dataset.class + '"]').forEach((part) => part.classList.toggle('on', on));
  map.classList.toggle('picked', document.querySelector('.picks [aria-pressed="true"]') !== null);
}));
`;
