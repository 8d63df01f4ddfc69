import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openIndex } from '../../src/retrieval/index-file.ts';
import * as archives from '../support/archives.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

let tiny: TinyTraining;
const at = (...names: string[]): string => tiny.at(...names);

test.before(async () => {
  tiny = await TinyTraining.make();
});
test.after(() => tiny.remove());

test('train, evaluate and embed a published set by its lists', async () => {
  await archives.sakeSketchy(at('Sketchy'));
  await writeFile(
    at('split.json'),
    JSON.stringify({ seen: archives.SEEN, unseen: archives.UNSEEN, lists: 'zeroshot1' }),
  );
  const set = ['--data', at('Sketchy'), '--split', at('split.json')];
  const refused = await run('train', ...tiny.options, ...set, '--out', at('listed'));
  assert.match(refused.stderr, /--unseen: .*Sketchy has published splits; name one with --split/);
  const withoutUnseen = tiny.options.slice(4);
  const trained = await run(
    'train',
    ...withoutUnseen,
    ...set,
    '--steps',
    '2',
    '--validate-every',
    '2',
    '--out',
    at('listed'),
  );
  assert.is(trained.code, 0, trained.stderr);
  assert.match(trained.stderr, /SAKE archive in .*Sketchy, by the lists in zeroshot1/);
  assert.match(trained.stderr, /2\/2 validation: mAP@all/);
  const { data } = (await tiny.logLines('listed')).find(({ event }) => event === 'start') as {
    data: Record<string, unknown>;
  };
  assert.equal([data.classes, data.images, data.validationSketches], [3, 18, 3]);

  const model = at('listed', 'model.safetensors');
  const evaluated = await run('evaluate', '--model', model, ...set, '--json');
  assert.is(evaluated.code, 0, evaluated.stderr);
  const { queries, gallerySize } = JSON.parse(evaluated.stdout) as { queries: number; gallerySize: number };
  assert.equal([queries, gallerySize], [8, 6]);
  const embedded = await run(
    'embed',
    '--model',
    model,
    ...set,
    '--part',
    'queries',
    '--out',
    at('queries.safetensors'),
  );
  assert.is(embedded.code, 0, embedded.stderr);
  const { paths } = openIndex(await readFile(at('queries.safetensors')), 'queries');
  assert.is(paths.length, 8);
  assert.ok(paths.every((name) => archives.UNSEEN.includes(path.basename(path.dirname(name)))));
  assert.match((await run('embed', '--model', model)).stderr, /--images or --data is needed, and not both/);
});

test.run();
