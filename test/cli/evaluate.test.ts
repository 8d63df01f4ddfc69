import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { parseModel, serializeModel } from '../../src/models/model-file.ts';
import * as archives from '../support/archives.ts';
import { writeShapes } from '../support/shapes-folder.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

let tiny: TinyTraining;
const at = (...names: string[]): string => tiny.at(...names);

test.before(async () => {
  tiny = await TinyTraining.make();
  await tiny.train('unbroken', 4, '--sketches', 'fitted');
});
test.after(() => tiny.remove());

test('evaluate: the unseen classes of the training, as a table and as JSON', async () => {
  const model = at('unbroken', 'model.safetensors');
  const { code, stdout, stderr } = await run(
    'evaluate',
    '--model',
    model,
    '--data',
    at('shapes'),
    '--json',
    '--per-class',
  );
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout) as {
    queries: number;
    gallerySize: number;
    skippedQueries: number;
    mapAll: number;
    perClass: { class: string }[];
    checksum: string;
  };
  assert.equal([result.queries, result.gallerySize, result.skippedQueries], [6, 6, 0]);
  assert.equal(
    result.perClass.map((one) => one.class),
    ['shape e', 'shape f'],
  );
  assert.is(result.checksum, await tiny.checksumOf('unbroken'));

  const table = await run('evaluate', '--model', model, '--data', at('shapes'), '--per-class');
  assert.match(table.stdout, new RegExp(`all queries +6 +${result.mapAll.toFixed(4)}`));
  assert.match(table.stdout, /shape f/);
  assert.match(table.stdout, /6 queries against 6 photos; none was skipped/);

  const other = await run(
    'evaluate',
    '--model',
    model,
    '--data',
    at('shapes'),
    '--task',
    'photo-to-photo',
    '--cutoffs',
    '2,5',
    '--ap-denominator',
    'hits',
    '--codes',
    '8',
    '--json',
    '--report',
    at('evaluation.html'),
  );
  assert.is(other.code, 0, other.stderr);
  const measured = JSON.parse(other.stdout) as {
    task: string;
    protocol: string;
    queries: number;
    gallerySize: number;
    mapAll?: number;
    atCutoff: { k: number }[];
    codes: { bits: number; fittedOn: string; protocol: string; mapAll: number };
  };
  assert.match(measured.task, 'photo to photo');
  assert.is(measured.queries, 6);
  assert.equal(
    measured.atCutoff.map(({ k }) => k),
    [2, 5],
  );
  assert.equal([measured.codes.bits, measured.codes.fittedOn], [8, '12 photos of seen classes']);
  for (const { protocol } of [measured, measured.codes]) assert.match(protocol, /^not SAKE's: .*hits/);
  const page = await readFile(at('evaluation.html'), 'utf8');
  for (const part of [
    'photo to photo',
    '8-bit codes',
    'UMAP of 6 embeddings',
    '<th class="number">P@5</th>',
    'not SAKE&#39;s',
  ])
    assert.match(page, part);
  // Three ways to the same first ranks: of the whole gallery, found alone, and by a vector store.
  const first = async (...words: string[]): Promise<Record<string, unknown> & typeof measured> => {
    const {
      code: exit,
      stdout: text,
      stderr: said,
    } = await run(
      ...[
        'evaluate',
        '--model',
        model,
        '--data',
        at('shapes'),
        '--task',
        'photo-to-photo',
        '--cutoffs',
        '2,5',
        '--json',
      ],
      ...words,
    );
    assert.is(exit, 0, said);
    return JSON.parse(text) as Record<string, unknown> & typeof measured;
  };
  const full = await first();
  for (const words of [
    ['--ranks', 'first'],
    ['--store', `lance:${at('lance')}`],
    ['--store', `lance:${at('lance')}`],
  ]) {
    const top = await first(...words);
    assert.is(top.mapAll, undefined);
    assert.equal([top.queries, top.gallerySize], [full.queries, full.gallerySize]);
    top.atCutoff.forEach((one, place) => {
      const { map, precision } = full.atCutoff[place] as unknown as Record<string, number>;
      const found = one as unknown as Record<string, number>;
      assert.ok(Math.abs(found.map - map) < 1e-6 && Math.abs(found.precision - precision) < 1e-6, words.join(' '));
      assert.ok(found.hit >= found.precision);
    });
  }
  const refused = await run('evaluate', '--model', model, '--data', at('shapes'), '--ranks', 'first', '--per-class');
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /--per-class, --report and --codes need the ranks of the whole gallery/);
  const generalised = await run('evaluate', '--model', model, '--data', at('shapes'), '--task', 'generalised');
  assert.match(generalised.stdout, /generalised \(all photos of seen classes.*6 queries against 18 photos/s);

  await writeFile(at('trained.txt'), 'Shape_A\nshape e\n');
  const known = await run('evaluate', '--model', model, '--data', at('shapes'), '--unseen', at('trained.txt'));
  assert.is(known.code, 1);
  assert.match(known.stderr, /was trained on shape a/);
});

test('evaluate: a model that was trained on fitted sketches is measured on fitted ones', async () => {
  assert.is((await parseModel(await readFile(at('unbroken', 'model.safetensors')), 'model')).about.sketches, 'fitted');
  await cp(at('shapes'), at('sheets'), { recursive: true });
  for (const [place, className] of ['shape e', 'shape f'].entries()) {
    for (const name of await readdir(at('shapes', 'sketch', className))) {
      await sharp(at('shapes', 'sketch', className, name))
        .extend({ top: 5, bottom: 40 * place, left: 70, right: 9, background: '#ffffff' })
        .toFile(at('sheets', 'sketch', className, name));
    }
  }
  const measured = async (data: string): Promise<number> => {
    const { stdout, stderr } = await run(
      'evaluate',
      '--model',
      at('unbroken', 'model.safetensors'),
      '--data',
      at(data),
      '--json',
    );
    assert.ok(stdout !== '', stderr);
    return (JSON.parse(stdout) as { mapAll: number }).mapAll;
  };
  assert.is(await measured('sheets'), await measured('shapes'));
});

test('evaluate: a file that is no retrieval model, and weights that are not those of their network', async () => {
  await writeFile(at('text.safetensors'), 'no tensors');
  assert.match(
    (await run('evaluate', '--model', at('text.safetensors'))).stderr,
    /text.safetensors: not a safetensors file/,
  );
  const { state, about } = await parseModel(await readFile(at('unbroken', 'model.safetensors')), 'model');
  await writeFile(
    at('foreign.safetensors'),
    await serializeModel({ state: new Map([['weight', state.get('classifier.weight')!]]), about: {} }),
  );
  assert.match(
    (await run('evaluate', '--model', at('foreign.safetensors'))).stderr,
    /foreign.safetensors is no retrieval model.*weight \[4, 16\]/,
  );
  const changed = new Map(state)
    .set('embedding.weight', { shape: [1], values: new Float32Array(1) })
    .set('unexpected', { shape: [1], values: new Float32Array(1) });
  changed.delete('bn1.weight');
  await writeFile(at('changed.safetensors'), await serializeModel({ state: changed, about }));
  const { stderr } = await run('evaluate', '--model', at('changed.safetensors'), '--data', at('shapes'));
  assert.match(
    stderr,
    /changed.safetensors: .*embedding.weight: the file has \[1\], the network \[16, 512\].*missing in the file:\s+bn1.weight.*unknown to the network:\s+unexpected/s,
  );
});

/** Classes and queries that `evaluate --json` measured. */
async function measured(
  ...words: string[]
): Promise<{ readonly classes: readonly string[]; readonly queries: number }> {
  const { code, stdout, stderr } = await run('evaluate', ...words, '--json', '--per-class');
  assert.is(code, 0, stderr);
  const { queries, perClass } = JSON.parse(stdout) as { queries: number; perClass: { class: string }[] };
  return { classes: perClass.map((one) => one.class), queries };
}

test('evaluate on another data set: all its classes, or those that the model was not trained on', async () => {
  const model = at('unbroken', 'model.safetensors');
  // The same shapes under other names, so that none is a class of the training.
  await writeShapes(at('figures'));
  for (const domain of ['sketch', 'photo'])
    for (const letter of 'abcdef')
      await rename(at('figures', domain, `shape ${letter}`), at('figures', domain, `Figure_${letter}`));
  const figures = Array.from('abcdef', (letter) => `Figure_${letter}`);
  assert.equal(await measured('--model', model, '--data', at('figures'), '--unseen', '1'), {
    classes: figures,
    queries: 18,
  });
  assert.equal(await measured('--model', model, '--data', at('shapes'), '--unseen', 'untrained'), {
    classes: ['shape e', 'shape f'],
    queries: 6,
  });
  assert.match(
    (await run('evaluate', '--model', model, '--data', at('shapes'), '--unseen', '1')).stderr,
    /was trained on shape a/,
  );

  // A published set's classes may all be unseen, too.
  await archives.sakeSketchy(at('Sketchy'));
  await writeFile(at('all.json'), JSON.stringify({ seen: [], unseen: [...archives.SEEN, ...archives.UNSEEN] }));
  const { classes } = await measured('--model', model, '--data', at('Sketchy'), '--split', at('all.json'));
  assert.equal([...classes].sort(), [...archives.SEEN, ...archives.UNSEEN].sort());
});

test('evaluate takes a model without unseen classes, as the page trains them', async () => {
  const { state, about } = await parseModel(await readFile(at('unbroken', 'model.safetensors')), 'model');
  await writeFile(at('page.safetensors'), await serializeModel({ state, about: { ...about, unseenClasses: [] } }));
  assert.equal(await measured('--model', at('page.safetensors'), '--data', at('shapes')), {
    classes: ['shape e', 'shape f'],
    queries: 6,
  });
});

test.run();
