import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Script } from 'node:vm';
import { renderReport } from '../../src/cli/report/report.ts';
import type { ReportInput } from '../../src/cli/report/report-input.ts';
import type { RetrievalMetrics } from '../../src/retrieval/metrics.ts';

const metrics = (map: number): RetrievalMetrics => {
  const mean = {
    mapAll: map,
    atCutoff: [
      { k: 1, map, precision: map / 2 },
      { k: 200, map: map / 4, precision: map / 8 },
    ],
  };
  return {
    queries: 30,
    skippedQueries: 2,
    gallerySize: 40,
    protocol: "SAKE's",
    apDenominator: 'protocol',
    apEnvelope: 'voc',
    ...mean,
    classMean: mean,
    perClass: [
      { label: 3, queries: 10, ...mean, mapAll: map / 2 },
      { label: 7, queries: 20, ...mean, mapAll: map },
    ],
  };
};
const image = { size: 2, pixels: new Uint8Array(12).fill(77) };

const input: ReportInput = {
  title: 'Search by sketch',
  summary: 'Trained for 100 steps.',
  facts: [{ name: 'Adapter', value: 'SwiftShader' }],
  settings: [{ name: 'seed', value: '1' }],
  charts: [
    {
      title: 'Losses',
      steps: [1, 2, 3, 4],
      smooth: true,
      series: [{ name: 'quadruplet', values: [0.4, null, NaN, 0.2] }],
    },
  ],
  evaluations: [
    { name: 'Random weights', metrics: metrics(0.02) },
    { name: 'Starting checkpoint', metrics: metrics(0.05) },
    { name: 'Trained', metrics: metrics(0.1) },
  ],
  classNames: new Map([
    [3, 'swan'],
    [7, 'owl'],
  ]),
  contactSheet: [
    {
      label: 'swan',
      query: image,
      results: [
        { ...image, label: 'swan', hit: true, score: 0.91 },
        { ...image, label: 'owl', hit: false, score: 0.5 },
      ],
    },
  ],
  credits: ['Pictures: Noto Emoji, Apache 2.0'],
};

interface DrawnChart {
  steps: number[];
  series: { values: (number | null)[]; smooth?: (number | null)[] }[];
}
const chartsOf = (html: string): DrawnChart[] =>
  JSON.parse(/<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(html)![1]) as DrawnChart[];
/** The cells of the table row that starts with a heading. */
const rowOf = (html: string, heading: string): string[] =>
  [...new RegExp(`<tr><th>${heading}</th>(.*?)</tr>`).exec(html)![1].matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(
    ([, cell]) => cell,
  );

test('the metrics, and the result as a multiple of what came before', async () => {
  const html = await renderReport(input);
  assert.equal(rowOf(html, 'mAP@all'), ['0.020', '0.050', '0.100', '5.0×', '2.0×']);
  assert.equal(rowOf(html, 'mAP@200'), ['0.005', '0.013', '0.025', '5.0×', '2.0×']);
  assert.equal(rowOf(html, 'P@1'), ['0.010', '0.025', '0.050', '5.0×', '2.0×']);
  assert.not.match(html, '<th>P@100</th>', 'a cutoff that was not measured is not shown');
  assert.match(html, '30 queries of 2 classes against 40 pictures');
  assert.match(html, '2 queries have no picture of their class');
});

test('the classes, best first, with the metric before and after', async () => {
  const html = await renderReport(input);
  assert.ok(html.indexOf('<tr><th>owl</th>') < html.indexOf('<tr><th>swan</th>'));
  assert.equal(rowOf(html, 'swan').slice(0, 3), ['10', '0.025', '0.050']);
});

test('every cutoff that was measured, for all and for each class; the protocol and the task by name', async () => {
  const html = await renderReport({ ...input, task: { title: 'photo to photo', queries: 'Query photos' } });
  assert.match(html, '<th class="number">P@200</th>');
  assert.is(rowOf(html, 'swan').length, 6);
  assert.match(html, 'Protocol: SAKE&#39;s.');
  assert.match(html, 'Retrieval: photo to photo');
  assert.match(html, 'Query photos, each with');
});

test('the map of the embeddings: marks, names, buttons, a key, and what UMAP is', async () => {
  const points = [
    { className: 'swan', domain: 'photo', x: 0, y: 0 },
    { className: 'swan', domain: 'sketch', x: 1, y: 2 },
    { className: 'owl', domain: 'photo', x: 3, y: 1 },
  ] as const;
  const html = await renderReport({ ...input, map: { points, classes: 9, seed: 4 } });
  assert.match(html, 'UMAP of 3 embeddings of 2 of 9 classes, evenly chosen (seed 4)');
  assert.is([...html.matchAll(/<button type="button" aria-pressed="false" data-class="\d">/g)].length, 2);
  assert.match(html, 'umap-js');
  assert.not.match(await renderReport(input), 'How the embeddings lie');
});

test('a ratio to nothing is a dash, and not infinity', async () => {
  const html = await renderReport({
    ...input,
    evaluations: [
      { name: 'Random weights', metrics: metrics(0) },
      { name: 'Trained', metrics: metrics(0.1) },
    ],
  });
  assert.equal(rowOf(html, 'mAP@all'), ['0.000', '0.100', '–']);
  assert.not.match(html, /Infinity|NaN/);
});

test('the contact sheet: images as data, hits marked', async () => {
  const html = await renderReport(input);
  assert.is([...html.matchAll(/<img [^>]*src="data:image\/png;base64,[A-Za-z0-9+/=]+">/g)].length, 3);
  assert.is([...html.matchAll(/<figure class="hit">/g)].length, 1);
  assert.match(html, 'alt="swan, rank 1, a hit"');
});

test('nothing is loaded from anywhere', async () => {
  const html = await renderReport(input);
  for (const [, address] of html.matchAll(/(?:src|href|action|data)\s*=\s*["']([^"']*)/g))
    assert.match(address, /^data:/);
  assert.not.match(html, /@import|url\(|<link|<iframe/);
  assert.match(
    html,
    `content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"`,
  );
  assert.match(html, 'var uPlot=', 'the charts library is in the page');
});

test('the scripts of the page are sound, and find their places', async () => {
  const html = await renderReport(input);
  const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script]) => script);
  assert.is(scripts.length, 2);
  for (const script of scripts) assert.instance(new Script(script), Script);
  assert.is([...html.matchAll(/class="card chart"/g)].length, chartsOf(html).length);
});

test('curves: gaps stay gaps, and a long run is averaged in groups', async () => {
  const [short] = chartsOf(await renderReport(input));
  assert.equal(short, {
    steps: [1, 2, 3, 4],
    series: [{ values: [0.4, null, null, 0.2], smooth: [0.4, 0.4, 0.2, 0.2] }],
  });
  const steps = Array.from({ length: 5000 }, (_, i) => i);
  const [long] = chartsOf(
    await renderReport({
      ...input,
      charts: [{ title: 'x', steps, series: [{ name: 'y', values: steps.map((step) => step % 5) }] }],
    }),
  );
  assert.is(long.steps.length, 1000);
  assert.equal(long.steps.slice(0, 2), [2, 7]);
  assert.ok(long.series[0].values.every((value) => value === 2));
});

test('every text of the input is escaped', async () => {
  const evil = `</script><img src=x onerror="alert(1)">'&`;
  const html = await renderReport({
    title: evil,
    summary: evil,
    facts: [{ name: evil, value: evil }],
    settings: [{ name: evil, value: evil }],
    charts: [{ title: evil, steps: [1], series: [{ name: evil, values: [1] }] }],
    evaluations: [
      { name: evil, metrics: metrics(0.1) },
      { name: evil, metrics: metrics(0.2) },
    ],
    classNames: new Map([
      [3, evil],
      [7, evil],
    ]),
    contactSheet: [{ label: evil, query: image, results: [{ ...image, label: evil, hit: true, score: 1 }] }],
    credits: [evil],
  });
  assert.not.match(html, 'onerror="');
  assert.not.match(html, /<img src=x/);
  assert.is([...html.matchAll(/<\/script>/g)].length, 3, 'the three scripts of the page end once each');
});

test('a report of an evaluation alone has no empty sections', async () => {
  const html = await renderReport({
    ...input,
    charts: [],
    contactSheet: [],
    settings: [],
    evaluations: [{ name: 'Trained', metrics: metrics(0.1) }],
  });
  for (const heading of ['What it finds', 'How it learned', 'Settings']) assert.not.match(html, heading);
  assert.equal(rowOf(html, 'mAP@all'), ['0.100']);
});

test.run();
