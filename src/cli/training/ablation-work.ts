/** The trainings of an ablation, and what each model is worth. */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { VariantSelector } from '../../autodiff/variant-selector.ts';
import { l2Normalize } from '../../autodiff/ops/l2-normalize.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Device } from '../../gpu/device.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { ablatedTraining, type AblationResult, type AblationStep } from '../../training/ablation.ts';
import type { ModelFile } from '../../models/model-file.ts';
import { distill } from '../../training/distillation.ts';
import { atCutoff, evaluateNetwork, unseenTask } from '../../models/evaluation.ts';
import {
  parseKnowledge,
  parsePartialKnowledge,
  serializeKnowledge,
  serializePartialKnowledge,
  type Knowledge,
} from '../../training/knowledge-file.ts';
import { EMBEDDING_BATCH, modelEmbeddings, modelRows, type ImageRows } from '../../models/image-rows.ts';
import { openRetrievalModel, type RetrievalModel } from '../../models/retrieval-model.ts';
import { type RetrievalTraining } from '../../training/recipe.ts';
import { trainRetrieval } from '../../training/run.ts';
import { readModelFile } from '../files/model-file.ts';
import { Progress } from '../display/progress.ts';
import { latestCheckpoint, RunFolder } from '../files/run-folder.ts';
import { TrainingDisplay } from '../display/training-display.ts';
import { asOptionError } from './settings.ts';
import { runName } from '../report/ablation-results.ts';

/** The values of k of the table. */
const CUTOFFS = [1, 25, 100, 200] as const;

/** What the trainings of an ablation share. */
export interface Work {
  readonly device: Device;
  readonly selector: VariantSelector;
  readonly dataset: Dataset;
  readonly training: RetrievalTraining;
  readonly start: { readonly file: ModelFile; readonly name: string } | undefined;
  readonly teacher: { readonly file: ModelFile; readonly name: string } | undefined;
  readonly folder: string;
  readonly options: {
    readonly checkpointEvery: number;
    readonly validateEvery: number;
    readonly memoryBudget: number | undefined;
    readonly accumulate: number | undefined;
    readonly select: 'best' | 'last';
    readonly seed: number;
  };
  readonly signal: AbortSignal;
}

type Metrics = AblationResult['metrics'];

/** What is to be computed. Where nothing is drawn, one seed says it all. */
export function pairsOf(
  steps: readonly AblationStep[],
  seeds: readonly number[],
  started: boolean,
  { embeddingStart }: RetrievalTraining,
): [AblationStep, number][] {
  const drawn = (step: AblationStep): boolean =>
    step.trained || !started || (step.name === 'untrained heads' && embeddingStart === 'random');
  // Seed by seed, so that an ablation that is stopped early has whole rows.
  return seeds.flatMap((seed, index) =>
    steps.filter((step) => index === 0 || drawn(step)).map((step): [AblationStep, number] => [step, seed]),
  );
}

/** The teacher is asked once, for all seeds; its table stays in the folder. */
export async function knowledgeFor({
  device,
  selector,
  dataset,
  training,
  start,
  teacher,
  folder,
  options,
}: Work): Promise<{ readonly file: Knowledge; readonly name: string } | undefined> {
  const {
    losses,
    teacher: { kind, reading, photosPerClass },
    imageSize,
    pixels,
    network,
  } = training;
  if (losses.preservation === 0 || kind === 'online') return undefined;
  const name = path.join(folder, 'knowledge.safetensors');
  const found = await readFile(name).catch(() => undefined);
  if (found !== undefined) return { file: parseKnowledge(found, name), name };
  const asked = teacher ?? (start?.file.state.has('fc.weight') === true ? start : undefined);
  if (asked === undefined) return undefined;
  const state = `${name}.partial`;
  const begun = await readFile(state).catch(() => undefined);
  const progress = new Progress('teacher');
  const file = await distill({
    device,
    selector,
    dataset,
    teacher: asked,
    network,
    settings: { reading, photosPerClass, seed: options.seed, imageSize, pixels, batchSize: EMBEDDING_BATCH },
    begun: begun && parsePartialKnowledge(begun, state),
    onPartial: (partial) => writeFileAtomically(state, serializePartialKnowledge(partial)),
    onProgress: (done, total) => progress.update(done, total),
  });
  progress.stop();
  await writeFileAtomically(name, serializeKnowledge(file));
  await rm(state, { force: true });
  return { file, name };
}

/** Begins or goes on. @returns undefined where it was stopped */
export async function trainedMetrics(
  work: Work,
  step: AblationStep,
  seed: number,
  knowledge: Awaited<ReturnType<typeof knowledgeFor>>,
): Promise<Metrics | undefined> {
  const run = await RunFolder.open(path.join(work.folder, runName(step, seed)), { keep: 1, fresh: false });
  await run.prepare();
  try {
    return await trainedIn(run, work, ablatedTraining(work.training, step, seed), knowledge);
  } finally {
    await run.release();
  }
}

async function trainedIn(
  run: RunFolder,
  { device, selector, dataset, start, teacher, options, signal }: Work,
  training: RetrievalTraining,
  knowledge: Awaited<ReturnType<typeof knowledgeFor>>,
): Promise<Metrics | undefined> {
  const checkpoint = await latestCheckpoint(run.path);
  const repaired = checkpoint && (await run.repair(checkpoint.file));
  const display = new TrainingDisplay(training);
  const trained = await trainRetrieval({
    device,
    selector,
    dataset,
    training,
    start,
    teacher,
    knowledge: training.losses.preservation > 0 ? knowledge : undefined,
    resume: repaired && { file: repaired.file, name: checkpoint!.name },
    // With --select last, validation is not needed.
    validateEvery: options.select === 'last' ? undefined : options.validateEvery,
    checkpointEvery: options.checkpointEvery,
    memoryBudget: options.memoryBudget,
    microBatches: options.accumulate,
    signal,
    onCheckpoint: (saved) => run.save(saved),
    onProgress: display.onProgress,
    onLog: (entry) => {
      run.log(entry);
      display.onLog(entry);
    },
  })
    .catch(asOptionError)
    .finally(() => display.stop());
  try {
    if (trained.stopped) return undefined;
    const metrics = await withBest(run, trained.model, options.select, device, selector, (model) =>
      measure(model, dataset),
    );
    for (const name of await readdir(run.path)) if (name.startsWith('checkpoint-')) await rm(run.file(name));
    return metrics;
  } finally {
    trained.model.storage.destroy();
  }
}

/** Uses the model that was best on held-out sketches, where one was kept, and otherwise the last. */
async function withBest<T>(
  run: RunFolder,
  last: RetrievalModel,
  select: 'best' | 'last',
  device: Device,
  selector: VariantSelector,
  use: (model: RetrievalModel) => Promise<T>,
): Promise<T> {
  const bytes = select === 'last' ? undefined : await readFile(run.file('best.safetensors')).catch(() => undefined);
  if (bytes === undefined) return use(last);
  const name = run.file('best.safetensors');
  const best = openRetrievalModel(device, await readModelFile(name, '--out'), name, selector);
  try {
    return await use(best);
  } finally {
    best.storage.destroy();
  }
}

export async function untrainedMetrics(
  { device, selector, dataset, training, start }: Work,
  step: AblationStep,
  seed: number,
): Promise<Metrics> {
  // No step of a training is its beginning.
  const { model } = await trainRetrieval({
    device,
    selector,
    dataset,
    start,
    training: { ...ablatedTraining(training, step, seed), steps: 0 },
  });
  try {
    if (step.name === 'untrained heads') return await measure(model, dataset);
    return await measureRows(await modelRows(model, ({ features }) => l2Normalize(features)), dataset, model.storage);
  } finally {
    model.storage.destroy();
  }
}

const measure = async (model: RetrievalModel, dataset: Dataset): Promise<Metrics> =>
  measureRows(await modelEmbeddings(model), dataset, model.storage);

async function measureRows(rows: ImageRows, dataset: Dataset, on: RetrievalModel['storage']): Promise<Metrics> {
  const progress = new Progress('embedding');
  try {
    const { metrics } = await evaluateNetwork(rows, unseenTask(dataset), dataset.images, {
      cutoffs: CUTOFFS,
      on,
      onProgress: (done, total) => progress.update(done, total),
    });
    return {
      'mAP@all': metrics.mapAll,
      'mAP@200': atCutoff(metrics, 'map', 200),
      ...Object.fromEntries(CUTOFFS.map((k) => [`P@${k}`, atCutoff(metrics, 'precision', k)])),
    };
  } finally {
    progress.stop();
    rows.destroy();
  }
}
