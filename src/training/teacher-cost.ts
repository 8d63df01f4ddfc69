import type { VariantSelector } from '../autodiff/variant-selector.ts';
import { Program } from '../autodiff/program.ts';
import { DeviceStorage } from '../autodiff/device-storage.ts';
import { identityTransforms } from '../data/augmentation.ts';
import { DOMAIN_INDEX } from '../data/dataset.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { Device } from '../gpu/device.ts';
import { trainingUpdate } from '../nn/training-update.ts';
import { Classifier, RetrievalNetwork } from '../nn/retrieval-network.ts';
import { initializeNetwork } from '../nn/state.ts';
import { EMBEDDING_BATCH } from '../models/image-rows.ts';
import { imageInput } from '../models/image-input.ts';
import { retrievalObjective } from './objectives.ts';
import type { TeacherSignal } from './teacher-targets.ts';
import { optimizerOf } from './parameter-groups.ts';
import type { RetrievalTraining } from './recipe.ts';

/** What a kind of teacher costs, or none at all. */
export interface TeacherCost {
  readonly teacher: 'none' | TeacherSignal['kind'];
  /** Images that pass through the teacher before the training, and in all of its steps. */
  readonly forwardsBefore: number;
  readonly forwardsInSteps: number;
  /** The cost of a step, from the `cost` of its kernels. */
  readonly flop: number;
  /** Device memory of the step's program with its stores, as its plan has it. */
  readonly memory: number;
  /** Milliseconds of a step in each round, by the clock and of this process's processors. */
  readonly wall: readonly number[];
  readonly processor: readonly number[];
}

/** The costs of steps without a teacher, with its table, and with the teacher online. */
export interface TeacherCosts {
  readonly steps: readonly TeacherCost[];
  /** Milliseconds that a forward pass of an image through the teacher takes in each round, alone, in batches. */
  readonly forwardWall: readonly number[];
  readonly forwardProcessor: readonly number[];
}

/** What is measured, and how often. */
export interface TeacherCostOptions {
  readonly device: Device;
  readonly selector?: VariantSelector;
  readonly training: RetrievalTraining;
  readonly classes: number;
  readonly teacherClasses: number;
  /** Photos that a class-oriented teacher sees. */
  readonly photos: number;
  readonly rounds: number;
  readonly stepsPerRound: number;
  /** Milliseconds of processor time of this process so far; 0 if it is unknown. */
  readonly processorTime: () => number;
  /** Receives the number of rounds done, and of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Measures the paper's claim that class-oriented knowledge spares training the teacher: the same step without a
 * teacher, with a table and with the teacher in it, alternating, so that all run under the same load. Weights
 * and images are random; what a step takes does not depend on them.
 */
export async function measureTeacherCost(options: TeacherCostOptions): Promise<TeacherCosts> {
  const { device, training, rounds, stepsPerRound, processorTime, onProgress } = options;
  const programs = [
    await stepProgram(options, 'none'),
    await stepProgram(options, 'class-oriented'),
    await stepProgram(options, 'online'),
  ];
  const forward = await forwardProgram(options);
  const timed = [...programs, forward].map(({ run }) => ({ run, wall: [] as number[], processor: [] as number[] }));
  try {
    for (let round = -1; round < rounds; round++) {
      for (const { run, wall, processor } of timed) {
        const begun = { wall: performance.now(), processor: processorTime() };
        for (let step = 0; step < stepsPerRound; step++) await run();
        await device.idle();
        // The first round warms up.
        if (round < 0) continue;
        wall.push((performance.now() - begun.wall) / stepsPerRound);
        processor.push((processorTime() - begun.processor) / stepsPerRound);
      }
      onProgress?.(round + 2, rounds + 1);
    }
  } finally {
    for (const { destroy } of [...programs, forward]) destroy();
  }
  const images = batchOf(training);
  const preserved = training.losses.preservedDomains === 'photos' ? images / 2 : images;
  const [last] = timed.slice(-1);
  return {
    steps: programs.map(({ teacher, flop, memory }, index) => ({
      teacher,
      forwardsBefore: teacher === 'class-oriented' ? options.photos : 0,
      forwardsInSteps: teacher === 'online' ? training.steps * preserved : 0,
      flop,
      memory,
      wall: timed[index].wall,
      processor: timed[index].processor,
    })),
    forwardWall: last.wall.map((time) => time / EMBEDDING_BATCH),
    forwardProcessor: last.processor.map((time) => time / EMBEDDING_BATCH),
  };
}

const batchOf = ({ classesPerBatch, imagesPerDomain }: RetrievalTraining): number =>
  2 * classesPerBatch * imagesPerDomain;

async function stepProgram(
  { device, selector, training, classes, teacherClasses }: TeacherCostOptions,
  kind: TeacherCost['teacher'],
) {
  const storage = new DeviceStorage(device, selector);
  const network = new RetrievalNetwork({
    ...training.network,
    classes,
    teacherClasses: kind === 'none' ? 0 : teacherClasses,
  });
  await initializeNetwork(network, storage, 0);
  let signal: TeacherSignal | undefined;
  if (kind === 'class-oriented')
    signal = { kind, knowledge: new Float32Array(classes * teacherClasses).fill(1 / teacherClasses) };
  if (kind === 'online') {
    const teacher = new Classifier({ ...training.network, classes: teacherClasses });
    await initializeNetwork(teacher, storage, 1);
    signal = { kind, network: teacher, temperature: training.teacher.reading.temperature };
  }
  const batch = randomBatch(training, classes);
  const shape = {
    count: batch.labels.length,
    sourceSize: training.imageSize,
    size: training.imageSize,
    pixels: training.pixels,
  };
  const objective = retrievalObjective(
    network,
    shape,
    training.losses,
    signal,
    training.batchNorm,
    training.frozenStages,
  );
  const update = trainingUpdate(network, objective.loss, objective.batchStatistics, optimizerOf(training, network));
  const program = await Program.compile(storage, {
    outputs: { loss: objective.loss, gate: update.gate },
    updates: update.updates,
  });
  const feeds = { ...objective.feeds(batch), ...update.feeds(1e-9, 1) };
  return {
    teacher: kind,
    flop: program.plan.calls.reduce((sum, { cost }) => sum + cost.flop, 0),
    memory: program.memory.total,
    run: async () => void (await program.submit(feeds)),
    destroy: () => {
      program.destroy();
      storage.destroy();
    },
  };
}

/** The teacher alone, as a distillation runs it. */
async function forwardProgram({
  device,
  selector,
  training: { network, imageSize },
  teacherClasses,
}: TeacherCostOptions) {
  const storage = new DeviceStorage(device, selector);
  const teacher = new Classifier({ ...network, classes: teacherClasses });
  await initializeNetwork(teacher, storage, 1);
  const shape = { count: EMBEDDING_BATCH, sourceSize: imageSize, size: imageSize };
  const program = await Program.compile(storage, {
    outputs: { logits: teacher.apply(imageInput(shape), 'eval').logits },
    frozen: true,
  });
  const feeds = {
    images: randomPixels(EMBEDDING_BATCH, imageSize),
    transforms: identityTransforms(EMBEDDING_BATCH, { sourceSize: imageSize, outputSize: imageSize }),
  };
  return {
    run: async () => void (await program.submit(feeds)),
    destroy: () => {
      program.destroy();
      storage.destroy();
    },
  };
}

function randomBatch(training: RetrievalTraining, classes: number): TrainingBatch {
  const { imageSize, classesPerBatch, imagesPerDomain } = training;
  const count = batchOf(training);
  return {
    step: 0,
    images: randomPixels(count, imageSize),
    transforms: identityTransforms(count, { sourceSize: imageSize, outputSize: imageSize }),
    labels: Uint32Array.from(
      { length: count },
      (_, i) => (Math.floor(i / imagesPerDomain) % classesPerBatch) % classes,
    ),
    domains: Uint32Array.from({ length: count }, (_, i) => (i < count / 2 ? DOMAIN_INDEX.sketch : DOMAIN_INDEX.photo)),
  };
}

/** Bytes that look like no picture; a multiplicative generator is enough for that. */
function randomPixels(count: number, size: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: 3 * count * size * size }, () => (state = Math.imul(state, 48271) >>> 0) >>> 24);
}
