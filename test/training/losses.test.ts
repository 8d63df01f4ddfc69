// What the objective reports, against the losses worked out in float64 from the network's own logits.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { identityTransforms } from '../../src/data/augmentation.ts';
import type { TrainingBatch } from '../../src/data/loader.ts';
import { Classifier, RetrievalNetwork } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { imageInput } from '../../src/models/image-input.ts';
import { retrievalObjective } from '../../src/training/objectives.ts';
import { DEFAULT_LOSSES, type RetrievalLosses } from '../../src/training/retrieval-loss.ts';
import type { TeacherSignal } from '../../src/training/teacher-targets.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';
import { shapePixels, TINY_SIZE, TINY_TRAINING } from '../support/shapes-dataset.ts';

const CLASSES = 3;
const TEACHER_CLASSES = 5;
const LABELS = [0, 1, 2, 1, 0, 1, 2, 1];
const DOMAINS = [0, 0, 0, 0, 1, 1, 1, 1];
const COUNT = LABELS.length;
const shape = { count: COUNT, sourceSize: TINY_SIZE, size: TINY_SIZE };

function batch(): TrainingBatch {
  const images = new Uint8Array(COUNT * 3 * TINY_SIZE ** 2);
  LABELS.forEach((label, i) =>
    images.set(shapePixels(`shape ${'abc'[label]}`, DOMAINS[i] === 0 ? 'sketch' : 'photo', i), i * 3 * TINY_SIZE ** 2),
  );
  return {
    step: 0,
    images,
    transforms: identityTransforms(COUNT, { sourceSize: TINY_SIZE, outputSize: TINY_SIZE }),
    labels: Uint32Array.from(LABELS),
    domains: Uint32Array.from(DOMAINS),
  };
}

/** Rows, each a distribution. */
function distributions(rows: number, width: number): number[][] {
  const uniform = uniformNumbers(3);
  return Array.from({ length: rows }, () => softmax(Array.from({ length: width }, () => 2 * uniform())));
}

function softmax(logits: readonly number[]): number[] {
  const powers = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

const crossEntropy = (targets: readonly number[], logits: readonly number[]): number =>
  -softmax(logits).reduce((sum, p, c) => sum + targets[c] * Math.log(p), 0);
const entropy = (p: readonly number[]): number => -p.reduce((sum, value) => sum + value * Math.log(value), 0);
/** Khosla et al. (2020), from embeddings of length 1. */
function contrastiveOf(
  rows: readonly (readonly number[])[],
  { temperature, positives }: NonNullable<RetrievalLosses['contrastive']>,
): number {
  const similarity = (i: number, j: number): number =>
    rows[i].reduce((sum, value, c) => sum + value * rows[j][c], 0) / temperature;
  const ofAnchor = rows.map((_, i) => {
    const others = [...rows.keys()].filter((j) => j !== i);
    const pulled = others.filter((j) => LABELS[j] === LABELS[i] && (positives === 'any' || DOMAINS[j] !== DOMAINS[i]));
    const total = Math.log(others.reduce((sum, j) => sum + Math.exp(similarity(i, j)), 0));
    return pulled.length === 0 ? 0 : meanOf(pulled.map((j) => total - similarity(i, j)));
  });
  return meanOf(ofAnchor);
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const rowsOf = (values: Float32Array, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, row) => [...values.subarray(row * width, (row + 1) * width)]);

interface Case {
  readonly losses?: Partial<RetrievalLosses>;
  readonly classifier?: 'linear' | 'cosine';
  readonly online?: boolean;
}

const cases: Readonly<Record<string, Case>> = {
  'class-oriented knowledge for both domains': {},
  'class-oriented knowledge for photos only': { losses: { preservedDomains: 'photos' } },
  'an online teacher': { online: true },
  'an online teacher for photos only': { online: true, losses: { preservedDomains: 'photos' } },
  'a contrastive loss to the other domain': {
    losses: { contrastive: { weight: 0.75, temperature: 0.1, positives: 'other-domain' } },
  },
  'a contrastive loss within the class': {
    losses: { contrastive: { weight: 0.75, temperature: 0.5, positives: 'any' } },
  },
  'smoothed labels': { losses: { labelSmoothing: 0.2 } },
  'a margin on cosines, with smoothed labels': {
    classifier: 'cosine',
    losses: { classifierTemperature: 0.05, classifierMargin: 0.35, labelSmoothing: 0.1 },
  },
  'a cosine classifier': { classifier: 'cosine', losses: { classifierTemperature: 0.05 } },
};

for (const [title, { losses = {}, classifier = 'linear', online = false }] of Object.entries(cases)) {
  test(`${title}: the reported losses are those of the network's logits`, async () => {
    const storage = new DeviceStorage(await testDevice());
    const network = new RetrievalNetwork({
      ...TINY_TRAINING.network,
      classifier,
      classes: CLASSES,
      teacherClasses: TEACHER_CLASSES,
    });
    const teacher = new Classifier({ ...TINY_TRAINING.network, classes: TEACHER_CLASSES });
    await initializeNetwork(network, storage, 1);
    await initializeNetwork(teacher, storage, 2);
    const table = distributions(CLASSES, TEACHER_CLASSES);
    const temperature = 2;
    const signal: TeacherSignal = online
      ? { kind: 'online', network: teacher, temperature }
      : { kind: 'class-oriented', knowledge: Float32Array.from(table.flat()) };
    const all = { ...DEFAULT_LOSSES, quadruplet: 0.5, classification: 2, preservation: 3, ...losses };
    const objective = retrievalObjective(network, shape, all, signal, 'frozen');

    const outputs = {
      loss: objective.loss,
      ...Object.fromEntries(Object.entries(objective.reported).map(([name, { tensor }]) => [name, tensor])),
    };
    const program = await Program.compile<string>(storage, { outputs });
    const reported = await program.run(objective.feeds(batch()));
    const images = imageInput(shape);
    const { classLogits, teacherLogits, embeddings } = network.apply(images, 'frozen');
    const plain = await Program.compile<string>(storage, {
      outputs: { classLogits, embeddings, teacherLogits: teacherLogits!, said: teacher.apply(images, 'eval').logits },
    });
    const { images: pixels, transforms } = batch();
    const logits = await plain.run({ images: pixels, transforms });

    const { labelSmoothing = 0, classifierMargin = 0, classifierTemperature } = all;
    const classification = meanOf(
      rowsOf(logits.classLogits, CLASSES).map((row, i) => {
        const isRight = row.map((_, c) => Number(c === LABELS[i]));
        return crossEntropy(
          isRight.map((right) => (1 - labelSmoothing) * right + labelSmoothing / CLASSES),
          row.map((logit, c) => (logit - classifierMargin * isRight[c]) / classifierTemperature),
        );
      }),
    );
    if (classifier === 'cosine') assert.ok(logits.classLogits.every((cosine) => Math.abs(cosine) <= 1 + 1e-6));
    const preserved = LABELS.map((_, i) => i).filter((i) => all.preservedDomains === 'both' || DOMAINS[i] === 1);
    const said = rowsOf(logits.said, TEACHER_CLASSES).map((row) => softmax(row.map((logit) => logit / temperature)));
    const targets = preserved.map((i) => (online ? said[i] : table[LABELS[i]]));
    const preservation = meanOf(
      preserved.map((i, row) => crossEntropy(targets[row], rowsOf(logits.teacherLogits, TEACHER_CLASSES)[i])),
    );
    const divergence = preservation - meanOf(targets.map(entropy));
    // The logits are given, so that what is left is the rounding of sums over a handful of classes.
    const near = (name: string, actual: number, expected: number): void =>
      assert.ok(
        Math.abs(actual - expected) <= 2e-5 * Math.max(1, Math.abs(expected)),
        `${name}: ${actual}, expected ${expected}`,
      );
    near('classification', reported.classification[0], classification);
    near('preservation', reported.preservation[0], preservation);
    near('divergence', reported.divergence[0], divergence);
    const contrastive =
      all.contrastive === undefined
        ? 0
        : contrastiveOf(rowsOf(logits.embeddings, TINY_TRAINING.network.embedding), all.contrastive);
    if (all.contrastive !== undefined) near('contrastive', reported.contrastive[0], contrastive);
    assert.is('contrastive' in reported, all.contrastive !== undefined);
    near(
      'loss',
      reported.loss[0],
      0.5 * reported.quadruplet[0] +
        2 * classification +
        3 * preservation +
        (all.contrastive?.weight ?? 0) * contrastive,
    );
    assert.ok(divergence > 0);
    program.destroy();
    plain.destroy();
    storage.destroy();
  });
}

test('a margin on a linear classifier is refused', () => {
  const network = new RetrievalNetwork({ ...TINY_TRAINING.network, classes: CLASSES, teacherClasses: 0 });
  assert.throws(
    () => retrievalObjective(network, shape, { ...DEFAULT_LOSSES, classifierMargin: 0.2 }, undefined),
    /margin of 0.2 is for cosines, and the network has a linear classifier/,
  );
});

test.run();
