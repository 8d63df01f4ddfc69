import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CheckpointError, modelChecksum, type ModelFile } from '../../src/models/model-file.ts';
import { evaluateNetwork, validationTask } from '../../src/models/evaluation.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';
import { testDevice } from '../support/device.ts';
import { shapesDataset, TINY_TRAINING } from '../support/shapes-dataset.ts';
import { steps, stored, train } from '../support/shapes-training.ts';

for (const microBatches of [1, 2]) {
  test(`the average of the weights is the model, and a resumed run ends with the same one, in ${microBatches} micro-batches`, async () => {
    const training = { ...TINY_TRAINING, emaDecay: 0.5 };
    const plain = await train({ microBatches });
    const { checksum, checkpoints, log } = await train({
      training,
      microBatches,
      checkpointEvery: 1,
      validateEvery: 3,
    });
    assert.equal(steps(log), steps(plain.log), 'training goes on as without it');
    const learning = (file: ModelFile) => file.moments.get('learning weights')!;
    assert.is(await modelChecksum(learning(checkpoints.at(-1)!.file)), plain.checksum);
    for (const [index, { file }] of checkpoints.entries()) {
      if (index === 0) continue;
      const share = Math.fround(1 - Math.min(0.5, (2 + index) / (11 + index)));
      for (const [name, { values }] of learning(file)) {
        const before = checkpoints[index - 1].file.state.get(name)!.values;
        file.state.get(name)!.values.forEach((average, i) => {
          const expected = before[i] + share * (values[i] - before[i]);
          assert.ok(
            Math.abs(average - expected) <=
              2 ** -24 * (2.001 * Math.abs(share * (values[i] - before[i])) + Math.abs(expected)),
            name,
          );
        });
      }
    }
    const { file } = checkpoints[2];
    const resumed = await train({ training, resume: await stored(file) });
    assert.is(resumed.checksum, checksum);
    assert.equal(steps(resumed.log), steps(log).slice(file.step));
  });
}

test('with an average, validation measures it, a next training starts from it, and resuming needs the weights beside it', async () => {
  const training = { ...TINY_TRAINING, emaDecay: 0.9 };
  const { checkpoints, log } = await train({ training, validateEvery: 3 });
  const file = checkpoints.find(({ best }) => best)!.file;
  const model = openRetrievalModel(await testDevice(), file, 'best');
  const embeddings = await modelEmbeddings(model, 6);
  const dataset = shapesDataset();
  const { metrics } = await evaluateNetwork(embeddings, validationTask(dataset), dataset.images);
  assert.is(
    log.find(
      (entry) => entry.event === 'validation' && entry.stepsDone === file.step && entry.mapAll === metrics.mapAll,
    )?.event,
    'validation',
  );
  embeddings.destroy();
  model.storage.destroy();

  const unbegun = await train({ training, start: { file, name: 'best' }, signal: AbortSignal.abort() });
  assert.is(unbegun.checksum, file.checksum);
  const moments = new Map([...file.moments].filter(([name]) => name !== 'learning weights'));
  const error = await train({ training, resume: { file: { ...file, moments }, name: 'best' } }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, CheckpointError);
  assert.match((error as Error).message, /has an average of weights and not the learning weights/);
});

test.run();
