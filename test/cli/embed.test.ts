import { test } from 'uvu';
import * as assert from 'uvu/assert';
import sharp from 'sharp';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { openIndex, serializeIndex } from '../../src/retrieval/index-file.ts';
import { parseModel, serializeModel } from '../../src/models/model-file.ts';
import { writeShapes } from '../support/shapes-folder.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

let tiny: TinyTraining;
const at = (...names: string[]): string => tiny.at(...names);

test.before(async () => {
  tiny = await TinyTraining.make();
  await tiny.train('unbroken');
});
test.after(() => tiny.remove());

test('embed and search: an index of a folder, a ranking, a contact sheet; damaged files by name', async () => {
  const model = at('unbroken', 'model.safetensors');
  await mkdir(at('pictures'));
  await writeShapes(at('pictures', 'inner'));
  await rm(at('pictures', 'inner', 'sketch'), { recursive: true });
  await writeFile(at('pictures', 'damaged.png'), 'no picture');

  const embedded = await run('embed', '--model', model, '--images', at('pictures'), '--out', at('index.safetensors'));
  assert.is(embedded.code, 0, embedded.stderr);
  assert.match(embedded.stderr, /skipped: .*damaged.png cannot be decoded/);
  assert.match(embedded.stdout, /18 pictures, 16 components each/);
  const strict = await run(
    'embed',
    '--model',
    model,
    '--images',
    at('pictures'),
    '--out',
    at('strict.safetensors'),
    '--strict',
  );
  assert.is(strict.code, 1);
  assert.match(strict.stderr, /sketchgrad: .*damaged.png cannot be decoded/);
  assert.not.ok((await readdir(tiny.folder)).includes('strict.safetensors'));
  assert.match(
    (await run('embed', '--model', model, '--images', at('nowhere'))).stderr,
    /--images: .*nowhere is no folder/,
  );

  const photo = at('pictures', 'inner', 'photo', 'shape e', '1.png');
  const search = ['search', '--model', model, '--index', at('index.safetensors'), '--top', '3'];
  const found = await run(
    ...search,
    photo,
    at('shapes', 'sketch', 'shape f', '0.png'),
    '--json',
    '--sheet',
    at('sheet.png'),
  );
  assert.is(found.code, 0, found.stderr);
  const [byPhoto, bySketch] = JSON.parse(found.stdout) as {
    results: { rank: number; score: number; path: string }[];
  }[];
  assert.is(byPhoto.results[0].path, photo, 'a picture finds itself');
  assert.ok(byPhoto.results[0].score > 0.9999);
  assert.equal(
    bySketch.results.map(({ rank }) => rank),
    [1, 2, 3],
  );
  assert.equal([...(await readFile(at('sheet.png'))).subarray(1, 4)], [...Buffer.from('PNG')]);
  assert.match((await run(...search, photo)).stdout, /1 +1\.0000 +.*shape e/);
  assert.match((await run(...search, at('pictures', 'damaged.png'))).stderr, /damaged.png cannot be decoded/);

  assert.match(
    (await run(...search, '--by', 'codes', photo)).stderr,
    /--by codes: .*index.safetensors has no binary codes; .*--codes 64/,
  );
  const embed = ['embed', '--model', model, '--images', at('pictures'), '--out', at('coded.safetensors')];
  assert.match(
    (await run(...embed, '--codes-fit', at('index.safetensors'))).stderr,
    /--codes-fit says what codes are fitted on/,
  );
  const coded = await run(...embed, '--codes', '12', '--codes-fit', at('index.safetensors'));
  assert.match(coded.stdout, /codes of 12 bits fitted on .*index.safetensors/);
  // All codes are candidates, so the cosines decide as they do without codes.
  const ranked = async (...words: string[]): Promise<string> =>
    (await run('search', '--model', model, '--index', at('coded.safetensors'), photo, '--json', ...words)).stdout;
  assert.is(await ranked('--by', 'codes', '--rerank', '1000'), await ranked());
  assert.match((await run(...search, '--rerank', '9', photo)).stderr, /--rerank ranks the nearest codes again/);
  const byCodes = await run(
    'search',
    '--model',
    model,
    '--index',
    at('coded.safetensors'),
    '--by',
    'codes',
    '--top',
    '4',
    photo,
    '--json',
  );
  assert.is(byCodes.code, 0, byCodes.stderr);
  const [{ results }] = JSON.parse(byCodes.stdout) as {
    results: { distance: number; score: number; path: string }[];
  }[];
  assert.ok(
    results.some((result) => result.distance === 0 && result.path === photo),
    'a picture has its own code',
  );
  results.forEach(({ distance, score }, i) => {
    assert.ok(i === 0 || distance >= results[i - 1].distance);
    assert.is(score, 1 - (2 * distance) / 12);
  });
});

test('a model that says so is searched with sketches cut to their ink; several search together', async () => {
  const { state, about } = await parseModel(await readFile(at('unbroken', 'model.safetensors')), 'model');
  for (const sketches of ['fitted', 'cut'])
    await writeFile(at(`${sketches}.safetensors`), await serializeModel({ state, about: { ...about, sketches } }));
  const sheet = (name: string, left: number, right: number): Promise<unknown> =>
    sharp(at('shapes', 'sketch', 'shape f', '0.png'))
      .extend({ top: 60, bottom: 7, left, right, background: '#ffffff' })
      .toFile(at(name));
  await Promise.all([sheet('left.png', 1, 90), sheet('right.png', 200, 30)]);
  const search = async (...words: string[]): Promise<Record<string, unknown>[]> => {
    const { code, stdout, stderr } = await run(
      'search',
      '--model',
      at('fitted.safetensors'),
      '--index',
      at('index.safetensors'),
      '--top',
      '3',
      '--json',
      ...words,
    );
    assert.is(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>[];
  };
  const [left, right] = await search(at('left.png'), at('right.png'));
  assert.is(left.sketch, at('left.png'));
  assert.equal(left.results, right.results, 'the place on the sheet does not matter');
  const same = await search(at('left.png'), at('right.png'), '--together');
  assert.equal(
    same.map(({ sketches }) => sketches),
    [[at('left.png'), at('right.png')]],
  );
  assert.equal(
    (same[0].results as { path: string }[]).map(({ path: file }) => file),
    (left.results as { path: string }[]).map(({ path: file }) => file),
  );
  const [other] = await search(
    at('left.png'),
    at('shapes', 'photo', 'shape e', '1.png'),
    '--together',
    '--sheet',
    at('together.png'),
  );
  assert.not.equal(other.results, left.results);
  assert.equal([...(await readFile(at('together.png'))).subarray(1, 4)], [...Buffer.from('PNG')]);
  assert.match(
    (await run('search', '--model', at('cut.safetensors'), at('left.png'))).stderr,
    /cut.safetensors: its description gives "cut" for sketches, where whole or fitted is needed/,
  );
});

test('search refuses the index of another model', async () => {
  const index = openIndex(await readFile(at('index.safetensors')));
  await writeFile(at('other.safetensors'), serializeIndex({ ...index, modelChecksum: 'f00d' }));
  const { code, stderr } = await run(
    'search',
    '--model',
    at('unbroken', 'model.safetensors'),
    '--index',
    at('other.safetensors'),
    at('shapes', 'sketch', 'shape f', '0.png'),
  );
  assert.is(code, 1);
  assert.match(stderr, /index was made by the model f00d, and this model is [0-9a-f]{64}/);
});

test.run();
