// The supervised contrastive loss as a composition of ops, against its definition in float64.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EPSILON } from '../../kernels/kernel.ts';
import { softmaxCrossEntropy } from '../../kernels/loss/softmax-cross-entropy.ts';
import { contrastiveLoss, type ContrastiveOptions } from '../../src/autodiff/ops/contrastive-loss.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input, ShapeError } from '../../src/autodiff/tensor.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

interface Batch {
  readonly embeddings: Float32Array;
  readonly labels: Uint32Array;
  readonly domains: Uint32Array;
}

/** Embeddings of length 1, nearly, in float32. */
function batchOf(count: number, width: number, classes: number): Batch {
  const uniform = uniformNumbers(count);
  const embeddings = Float32Array.from({ length: count * width }, uniform);
  for (let row = 0; row < count; row++) {
    const own = embeddings.subarray(row * width, (row + 1) * width);
    const length = Math.hypot(...own);
    own.forEach((value, c) => (own[c] = value / length));
  }
  const drawn = (end: number): Uint32Array =>
    Uint32Array.from({ length: count }, () => Math.floor(((uniform() + 1) / 2) * end));
  return { embeddings, labels: drawn(classes), domains: drawn(2) };
}

/** The loss in float64, and how far float32 may be from it. */
function expected(
  { embeddings, labels, domains }: Batch,
  { temperature = 0.1, positives = 'other-domain' }: ContrastiveOptions,
): { readonly value: number; readonly error: number } {
  const count = labels.length;
  const width = embeddings.length / count;
  const similarity = (i: number, j: number): number => {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += embeddings[i * width + c] * embeddings[j * width + c];
    return sum;
  };
  // Rows of the others, without the item itself.
  const similarities: number[] = [];
  const targets: number[] = [];
  let value = 0;
  for (let i = 0; i < count; i++) {
    const others = [...labels.keys()].filter((j) => j !== i);
    const pulled = others.filter((j) => labels[j] === labels[i] && (positives === 'any' || domains[j] !== domains[i]));
    const row = others.map((j) => similarity(i, j));
    const total = row.reduce((sum, one) => sum + Math.exp(one / temperature), 0);
    for (const j of pulled) value += (Math.log(total) - similarity(i, j) / temperature) / pulled.length / count;
    similarities.push(...row);
    targets.push(...others.map((j) => (pulled.includes(j) ? 1 / pulled.length : 0)));
  }
  if (count === 1) return { value, error: 0 };
  // The magnitudes of products of unit vectors sum to 1 at most. The loss of a row moves twice as far as its logits, and
  // targets are rounded as well.
  const similarityError = EPSILON * (4 * Math.sqrt(width) + 3);
  const own = softmaxCrossEntropy.reference(
    { rows: count, classes: count - 1, targets: 'soft', temperature },
    { logits: Float64Array.from(similarities), targets: Float64Array.from(targets) },
  );
  return {
    value,
    error: (2 * similarityError) / temperature + own.loss.error[0] + 5 * EPSILON * (Math.log(count) + 2 / temperature),
  };
}

const cases: readonly (readonly [number, number, number, ContrastiveOptions])[] = [
  [1, 4, 1, {}],
  [2, 3, 1, { positives: 'any' }],
  [13, 5, 3, { temperature: 0.5 }],
  [48, 512, 12, { temperature: 0.1, positives: 'other-domain' }],
  [203, 63, 40, { temperature: 0.07, positives: 'any' }],
  [256, 128, 16, { temperature: 1 }],
];

for (const [count, width, classes, options] of cases) {
  test(`contrastiveLoss of ${count} embeddings of ${width}, ${JSON.stringify(options)}`, async () => {
    const storage = new DeviceStorage(await testDevice());
    const batch = batchOf(count, width, classes);
    const loss = contrastiveLoss(
      input('embeddings', [count, width]),
      input('labels', [count], 'u32'),
      input('domains', [count], 'u32'),
      options,
    );
    const program = await Program.compile(storage, { outputs: { loss } });
    const [found] = (await program.run({ ...batch })).loss;
    const { value, error } = expected(batch, options);
    assert.ok(Math.abs(found - value) <= error, `${found}, expected ${value} within ${error}`);
    // A bound that allows anything would say nothing.
    assert.ok(error < 1e-3 && (count < 13 || value > 0.5), `${value} within ${error}`);
    program.destroy();
    storage.destroy();
  });
}

test('contrastiveLoss refuses what does not fit', () => {
  const [embeddings, labels, domains] = [
    input('embeddings', [4, 3]),
    input('labels', [4], 'u32'),
    input('domains', [4], 'u32'),
  ];
  const refused = (build: () => unknown, message: RegExp): void =>
    assert.throws(build, (error: unknown) => error instanceof ShapeError && message.test(error.message));
  refused(() => contrastiveLoss(embeddings, labels, domains, { temperature: 0 }), /temperature is 0/);
  refused(
    () => contrastiveLoss(embeddings, input('labels', [3], 'u32'), domains),
    /\[3\].* was given where \[4\] was expected/,
  );
  refused(() => contrastiveLoss(input('embeddings', [4]), labels, domains), /\[count, width\] was expected/);
  refused(() => contrastiveLoss(embeddings, labels, domains, { positives: 'all' as never }), /positives is all/);
  refused(() => contrastiveLoss(embeddings, labels, domains, { margin: 1 } as never), /no option margin/);
});

test.run();
