import { fileURLToPath } from 'node:url';
import { tuningKey, type TuningProblem } from '../../autodiff/variant-selector.ts';
import { cast } from '../../autodiff/op.ts';
import { softmaxCrossEntropy } from '../../autodiff/ops/losses.ts';
import { plan, tuningProblemsOf } from '../../autodiff/plan.ts';
import { input, type GraphNode, type Tensor } from '../../autodiff/tensor.ts';
import type { Device } from '../../gpu/device.ts';
import { adamSettings, sgdSettings } from '../../nn/optimizers/index.ts';
import { trainingUpdate } from '../../nn/training-update.ts';
import type { BackboneName } from '../../nn/backbones/index.ts';
import { Classifier, RetrievalNetwork } from '../../nn/retrieval-network.ts';
import { EMBEDDING_BATCH } from '../../models/image-rows.ts';
import { imageInput, type Precision } from '../../models/image-input.ts';
import { retrievalObjective } from '../../training/objectives.ts';
import { DEMO_RECIPE, DEMO_START } from './demo-recipe.ts';
import { packageFile } from '../../platform/node/package-files.ts';
import { readModelFile } from '../files/model-file.ts';
import { resolveOptions } from '../options/option.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { trainingOf } from './settings.ts';

/** A graph as a program would be compiled from it, without a device. */
export interface Workload {
  readonly outputs: readonly Tensor[];
  readonly updates: readonly GraphNode[];
  /** See ProgramOptions. */
  readonly frozen?: boolean;
}

export interface ImageShape {
  readonly batch: number;
  readonly size: number;
  readonly width: number;
  /** resnet50 if left out. */
  readonly backbone?: BackboneName;
  /** f32 if left out. */
  readonly precision?: Precision;
}

const CLASSES = 1000;

/** A step of a classifier: forward, loss, backward, SGD with momentum. */
export function classifierTraining({ batch, size, width, backbone, precision = 'f32' }: ImageShape): Workload {
  const network = new Classifier({ classes: CLASSES, backbone, width });
  const { logits, batchStatistics } = network.apply(cast(input('images', [batch, size, size, 4]), precision), 'train');
  const loss = softmaxCrossEntropy(logits, input('labels', [batch], 'u32'));
  return { outputs: [loss], updates: trainingUpdate(network, loss, batchStatistics, sgdSettings(1e-4, 0.9)).updates };
}

/** A classifier, with its batch norm folded into the convolutions. */
export function classifierInference({ batch, size, width, backbone, precision = 'f32' }: ImageShape): Workload {
  const { logits } = new Classifier({ classes: CLASSES, backbone, width }).apply(
    cast(input('images', [batch, size, size, 4]), precision),
    'eval',
  );
  return { outputs: [logits], updates: [], frozen: true };
}

/** What `sketchgrad demo` runs: a training step with all three losses, embeddings. */
export async function demoWorkloads(): Promise<readonly Workload[]> {
  const { state } = await readModelFile(fileURLToPath(packageFile(DEMO_START)), 'the demo');
  const classes = state.get('teacher.bias')?.shape[0] ?? CLASSES;
  const recipe = resolveOptions(TRAIN_OPTIONS, DEMO_RECIPE);
  const {
    imageSize: size,
    network: settings,
    losses,
    classesPerBatch,
    imagesPerDomain,
    batchNorm,
    frozenStages,
    optimizer,
  } = trainingOf(recipe, 1);
  const network = new RetrievalNetwork({ ...settings, classes, teacherClasses: classes });
  const shape = (count: number): Parameters<typeof imageInput>[0] => ({ count, sourceSize: size, size });
  const { loss, batchStatistics } = retrievalObjective(
    network,
    shape(2 * classesPerBatch * imagesPerDomain),
    losses,
    { kind: 'class-oriented', knowledge: new Float32Array(classes * classes) },
    batchNorm,
    frozenStages,
  );
  return [
    {
      outputs: [loss],
      updates: trainingUpdate(network, loss, batchStatistics, adamSettings(optimizer.weightDecay)).updates,
    },
    { outputs: [network.apply(imageInput(shape(EMBEDDING_BATCH)), 'eval').embeddings], updates: [], frozen: true },
  ];
}

/** The distinct tuning problems of several workloads on a device. */
export function tuningProblemsOfAll(device: Device, workloads: readonly Workload[]): readonly TuningProblem[] {
  const tuningProblems = new Map<string, TuningProblem>();
  for (const workload of workloads) {
    const planned = plan({ ...workload, traits: device.traits, maxBufferBytes: Number.MAX_SAFE_INTEGER });
    for (const tuningProblem of tuningProblemsOf(planned)) {
      const key = tuningKey(tuningProblem);
      tuningProblems.set(key, { ...tuningProblem, uses: tuningProblem.uses + (tuningProblems.get(key)?.uses ?? 0) });
    }
  }
  return [...tuningProblems.values()];
}
