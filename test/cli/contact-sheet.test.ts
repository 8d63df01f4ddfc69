import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import {
  ContactSheetError,
  contactSheetCaption,
  encodePng,
  renderContactSheet,
  type ContactSheetRow,
  type SheetImage,
} from '../../src/cli/display/contact-sheet.ts';
import { escapeMarkup, shorten } from '../../src/cli/display/markup.ts';
import { sheetQueries } from '../../src/cli/display/retrieval-sheet.ts';
import type { Sample } from '../../src/data/dataset.ts';

const filled = (colour: readonly [number, number, number], size = 4): SheetImage => ({
  size,
  pixels: Uint8Array.from({ length: size * size * 3 }, (_, i) => colour[i % 3]),
});

const red = [200, 10, 10] as const;
const blue = [10, 10, 200] as const;
const rows: ContactSheetRow[] = [
  {
    label: 'swan',
    query: filled([0, 0, 0]),
    results: [
      { ...filled(red), label: 'swan', hit: true, score: 0.91 },
      { ...filled(blue, 7), label: 'owl & <b>', hit: false, score: -0.5 },
    ],
  },
  { label: 'a\u0001\ufffe"class\'', query: filled([90, 90, 90]), results: [] },
];

async function pixelsOf(png: Uint8Array): Promise<(x: number, y: number) => number[]> {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  assert.is(info.channels, 3);
  return (x, y) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
}

const counts = (colour: number[], at: (x: number, y: number) => number[], width: number, height: number): number => {
  let count = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (at(x, y).every((value, i) => value === colour[i])) count++;
  return count;
};

test('query, hit and miss stand in their places, the hit in a green frame', async () => {
  const png = await renderContactSheet(rows);
  const at = await pixelsOf(png);
  assert.equal(at(28 + 56, 28 + 56), [0, 0, 0], 'the query');
  assert.equal(at(28 + 112 + 36 + 56, 28 + 56), [...red], 'the first result');
  assert.equal(at(28 + 112 + 36 + 112 + 12 + 56, 28 + 56), [...blue], 'the second');
  assert.equal(at(28 + 112 + 36 - 2, 28 + 56), [0x12, 0x85, 0x4a], 'green beside the hit');
  assert.equal(at(28 + 112 + 36 + 112 + 12 - 2, 28 + 56), [255, 255, 255], 'and not beside the miss');
  assert.equal(await renderContactSheet(rows), png, 'the same rows give the same file');
});

test('the caption says which ranks are hits', () => {
  const [
    {
      label,
      query,
      results: [hit, miss],
    },
  ] = rows;
  const caption = contactSheetCaption([
    { label, query, results: [hit, miss, hit] },
    { label: 'owl', query, results: [miss] },
  ]);
  assert.is(caption, 'swan: 2 of 3 are hits (1, 3)\nowl: 0 of 1 are hits');
});

test('a machine without any font gets a sheet without letters instead of boxes', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sketchgrad-fonts-'));
  try {
    writeFileSync(
      path.join(folder, 'fonts.conf'),
      `<?xml version="1.0"?><fontconfig><dir>${folder}</dir><cachedir>${folder}</cachedir></fontconfig>`,
    );
    const module = new URL('../../src/cli/display/contact-sheet.ts', import.meta.url).href;
    const script = `const { renderContactSheet } = await import(${JSON.stringify(module)});
      const image = { size: 1, pixels: new Uint8Array([9, 9, 9]) };
      process.stdout.write(await renderContactSheet([{ label: 'swan', query: image, results: [{ ...image, label: 'swan', hit: true, score: 1 }] }]));`;
    const png = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      env: { ...process.env, FONTCONFIG_FILE: path.join(folder, 'fonts.conf') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const at = await pixelsOf(png);
    const width = 28 + 112 + 36 + 112 + 28;
    assert.ok(counts([0x12, 0x85, 0x4a], at, width, 28 + 112 + 28) > 1000, 'the frame is there');
    const captions = (x: number, y: number): number[] => at(x, y + 28 + 112 + 4);
    assert.is(counts([255, 255, 255], captions, width, 26), width * 26, 'and nothing below the images');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('images that do not fit their size are named', async () => {
  const refused = async (broken: ContactSheetRow[], message: RegExp): Promise<void> => {
    let error: unknown;
    await renderContactSheet(broken).catch((thrown: unknown) => (error = thrown));
    assert.instance(error, ContactSheetError);
    assert.match((error as Error).message, message);
  };
  await refused([], /needs a query/);
  await refused(
    [{ ...rows[0], query: { size: 3, pixels: new Uint8Array(26) } }],
    /the query of row 1 \(swan\) has 26 bytes, an RGB image of 3 x 3 has 27/,
  );
  await refused([{ ...rows[0], results: [{ ...rows[0].results[0], size: 5 }] }], /result 1 of row 1 \(swan\)/);
});

test('encodePng keeps every pixel', async () => {
  const image: SheetImage = { size: 5, pixels: Uint8Array.from({ length: 75 }, (_, i) => (i * 37) % 256) };
  const { data } = await sharp(await encodePng(image, 'an image'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert.equal(new Uint8Array(data), image.pixels);
});

test('markup: everything that could end a text or an attribute is escaped', () => {
  assert.is(escapeMarkup(`<a b="c" d='e'>&\0`), '&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\ufffd');
  assert.is(shorten('hot air balloon', 15), 'hot air balloon');
  assert.is(shorten('hot air balloon', 9), 'hot air…');
  assert.is([...shorten('🦢'.repeat(9), 4)].length, 4);
});

test('queries of a sheet are the first of twelve classes, evenly spaced in the order of their names', () => {
  const queriesOf = (count: number): Sample[] =>
    Array.from({ length: 3 * count }, (_, index) => ({
      domain: 'sketch',
      className: `class ${String((7 * index) % count).padStart(2, '0')}`,
      name: `${index}`,
    }));
  const queries = queriesOf(29);
  const chosen = sheetQueries(queries);
  assert.equal(
    chosen.map((index) => queries[index].className),
    ['00', '02', '04', '07', '09', '12', '14', '16', '19', '21', '24', '26'].map((number) => `class ${number}`),
  );
  assert.ok(
    chosen.every((index) => index < 29),
    'the first query of each class',
  );
  assert.is(sheetQueries(queriesOf(5)).length, 5);
  assert.equal(sheetQueries([]), []);
});

test.run();
