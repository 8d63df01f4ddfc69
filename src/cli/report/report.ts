/**
 * The report of a run: one HTML file that holds everything it shows and asks the network for nothing.
 * The contact sheet is near the top, because it tells at a glance what no figure tells.
 */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { encodePng, type ContactSheetRow, type SheetImage } from '../display/contact-sheet.ts';
import { escapeMarkup } from '../display/markup.ts';
import { drawMap, type EmbeddingMap } from './embedding-map.ts';
import { REPORT_SCRIPT, REPORT_STYLE } from './report-assets.ts';
import { chartData, chartPlaces } from './report-charts.ts';
import type { ReportFact, ReportInput } from './report-input.ts';
import { classTable, metricsTable, outcome, protocol } from './report-metrics.ts';

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

/** What one should and should not read out of it. */
function mapNote({ points, classes, seed }: EmbeddingMap): string {
  const drawn = new Set(points.map(({ className }) => className)).size;
  const some = drawn < classes ? `${drawn} of ${classes} classes, evenly chosen` : `${classes} classes`;
  return `UMAP of ${points.length} embeddings of ${some} (seed ${seed}). Neighbors here are neighbors there; distances across the picture mean little. Where the network sees through the domains, a class’s sketches lie among its photos.`;
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

/** JSON that cannot end the script element that contains it. */
function scriptJson(value: object): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** A file of the uPlot package, by its path in there. */
async function readPlot(name: string): Promise<string> {
  const dist = path.dirname(createRequire(import.meta.url).resolve('uplot'));
  return readFile(path.join(dist, '..', name), 'utf8');
}
