// The recipes in configs/ parse, build, and state the recipe that the library calls the paper's.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdirSync } from 'node:fs';
import { readJsonFile, besideFlags, readConfiguration } from '../../src/cli/options/configuration.ts';
import { ABLATE_OPTIONS } from '../../src/cli/commands/ablate.ts';
import { DISTILL_OPTIONS } from '../../src/cli/commands/distill.ts';
import { resolveOptions } from '../../src/cli/options/option.ts';
import { TRAIN_OPTIONS } from '../../src/cli/options/training.ts';
import { trainingOf } from '../../src/cli/training/settings.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { RetrievalNetwork } from '../../src/nn/retrieval-network.ts';
import { retrievalObjective } from '../../src/training/objectives.ts';
import { PAPER_EPOCHS, PAPER_RECIPE } from '../../src/training/recipe.ts';

const folder = new URL('../../configs/', import.meta.url);
const names = ['quickdraw', 'sketchy1', 'sketchy2', 'tuberlin'];

test('there is a recipe for each data set', () => {
  assert.equal(
    readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort(),
    names.map((name) => `${name}.json`),
  );
});

for (const name of names) {
  test(`${name}: the paper's recipe, of which everything is given and every reconstruction is marked`, async () => {
    const content = (await readJsonFile(new URL(`${name}.json`, folder).pathname)) as Record<string, unknown>;
    const options = resolveOptions(TRAIN_OPTIONS, readConfiguration(TRAIN_OPTIONS, content, name));
    const epoch = 100;
    const training = trainingOf(options, options.epochs * epoch, epoch);
    assert.is(options.split, name);
    assert.is(options.epochs, PAPER_EPOCHS);
    assert.equal(training, {
      ...PAPER_RECIPE,
      steps: PAPER_EPOCHS * epoch,
      schedule: { ...PAPER_RECIPE.schedule, stepsAtARate: epoch },
    });
    const { reconstructed } = content as { readonly reconstructed: Readonly<Record<string, string>> };
    for (const option of [
      'margin',
      'mining',
      'embedding',
      'learning-rate',
      'classes-per-batch',
      'augmentation',
      'batch-norm',
      'teacher-temperature',
    ])
      assert.ok(option in reconstructed, `${option} is marked`);
    // Other commands take the same file.
    readConfiguration(DISTILL_OPTIONS, content, name, TRAIN_OPTIONS);
    readConfiguration(ABLATE_OPTIONS, content, name);
  });
}

test('the recipe of the trial on two cores parses, and marks every choice', async () => {
  const content = (await readJsonFile(new URL('trials/sketchy2-cpu.json', folder).pathname)) as Record<string, unknown>;
  const options = resolveOptions(ABLATE_OPTIONS, readConfiguration(ABLATE_OPTIONS, content, 'sketchy2-cpu'));
  assert.equal([options.size, options.frozenStages, options.steps], [112, 3, 100]);
  const marked = Object.keys(content.reconstructed as object);
  assert.equal([...marked, 'reconstructed', 'split'].sort(), Object.keys(content).sort());
});

test('the recipe builds: network, objective, gradient and update', () => {
  const network = new RetrievalNetwork({ ...PAPER_RECIPE.network, classes: 104, teacherClasses: 1000 });
  const shape = { count: 48, sourceSize: 224, size: 224 };
  const { loss, batchStatistics } = retrievalObjective(network, shape, PAPER_RECIPE.losses, {
    kind: 'class-oriented',
    knowledge: new Float32Array(104 * 1000),
  });
  const { updates, gradients } = trainingUpdate(network, loss, batchStatistics, {
    kind: 'adam',
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    groups: [{ matches: () => true, learningRate: 1, weightDecay: 0 }],
  });
  assert.is(updates.length, 2);
  // ResNet50's 23.5 million, the embedding's and the heads'.
  assert.ok(gradients.length > 23.5e6 + 2048 * 512 + 512 * 1104);
});

test('a flag takes the place of its configured alternative', () => {
  const configured = { epochs: 20, margin: 0.2 };
  assert.equal(besideFlags(TRAIN_OPTIONS, configured, { steps: 5 }), { margin: 0.2 });
  assert.equal(besideFlags(TRAIN_OPTIONS, { steps: 5 }, { epochs: 3 }), {});
  assert.equal(besideFlags(TRAIN_OPTIONS, configured, { margin: 0.5 }), configured);
});

test('what a configuration says of reconstructions is checked', () => {
  const read = (reconstructed: unknown): unknown =>
    readConfiguration(TRAIN_OPTIONS, { margin: 0.2, reconstructed }, 'file');
  assert.equal(read({ margin: 'why' }), { margin: 0.2 });
  assert.throws(
    () => read({ margn: 'why' }),
    /file, reconstructed: "margn" is none of the options that the file gives; did you mean "margin"\?/,
  );
  assert.throws(() => read({ margin: 3 }), /file, reconstructed, margin: the evidence of its value is needed/);
  assert.throws(() => read(['margin']), /an object is needed/);
});

test.run();
