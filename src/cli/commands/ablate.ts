import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { VariantSelector } from '../../autodiff/choices.ts';
import { l2Normalize } from '../../autodiff/ops/l2-normalize.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Device } from '../../gpu/device.ts';
import { ensureAdapter } from '../../platform/adapter.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { Lock } from '../../platform/node/lock.ts';
import {
  ABLATION,
  ablatedTraining,
  summarise,
  type AblationResult,
  type AblationStep,
  type Summary,
} from '../../training/ablation.ts';
import type { Json, ModelFile } from '../../training/checkpoint.ts';
import { distill } from '../../training/distillation.ts';
import { atCutoff, evaluateNetwork, unseenTask } from '../../training/evaluation.ts';
import { contentsFingerprint, fingerprint } from '../../training/fingerprint.ts';
import { isJsonObject } from '../../formats/untrusted.ts';
import {
  parseKnowledge,
  parsePartialKnowledge,
  serializeKnowledge,
  serializePartialKnowledge,
  type Knowledge,
} from '../../training/knowledge-file.ts';
import {
  EMBEDDING_BATCH,
  modelEmbeddings,
  modelRows,
  openRetrievalModel,
  type ImageRows,
  type RetrievalModel,
} from '../../training/model.ts';
import { stepsPerEpoch, type RetrievalTraining } from '../../training/recipe.ts';
import { differences } from '../../training/resume.ts';
import { trainRetrieval } from '../../training/run.ts';
import { defineCommand } from '../command.ts';
import { openData } from '../files/data.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { readModelFile } from '../files/model-file.ts';
import { choice, text } from '../options/kinds.ts';
import { OptionError, resolveOptions } from '../options/option.ts';
import { note, printText, Progress } from '../display/progress.ts';
import { latestCheckpoint, RunFolder } from '../files/run-folder.ts';
import { textTable } from '../display/text-table.ts';
import { TrainingDisplay } from '../display/training-display.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { stopOnSignal } from '../stop-signal.ts';
import { asOptionError, trainingOf } from '../training/settings.ts';
import { readAs, readKnowledge, readStart, readTeacher, saidBy } from '../training/start.ts';
import { checkTuning, openTuner } from '../tuning.ts';

const CUTOFFS = [1, 25, 100, 200] as const;

export const ABLATE_OPTIONS = {
  ...TRAIN_OPTIONS,
  out: text({
    placeholder: 'folder',
    default: 'runs/ablation',
    changeable: true,
    help: 'Where runs and tables go; an ablation that was stopped or killed goes on from there',
  }),
  seeds: text({
    placeholder: 'list',
    default: '1,2,3',
    changeable: true,
    help: 'Seeds of the trainings, separated by commas; --seed is that of the data',
  }),
  select: choice(['best', 'last'], {
    default: 'best',
    help: 'Measure the weights that were best on held-out sketches of seen classes, or the last ones',
  }),
} as const;

export const ablateCommand = defineCommand({
  name: 'ablate',
  summary:
    'Measure what each loss brings: frozen features, classification, + quadruplet, + preservation, over several seeds',
  options: ABLATE_OPTIONS,
  async run(_options, { given: typed }) {
    const weights = await readStart(typed);
    const resolved = resolveOptions(ABLATE_OPTIONS, typed, weights === undefined ? {} : saidBy(weights, typed));
    checkTuning(resolved);
    const prepared =
      resolved.knowledge === undefined
        ? undefined
        : { file: await readKnowledge(resolved.knowledge), name: resolved.knowledge };
    const options = readAs(resolved, prepared?.file, typed);
    if (resolved.resume !== undefined)
      throw new OptionError('--resume: an ablation goes on by itself where its folder is given again (--out)');
    const seeds = seedsOf(options.seeds);
    await ensureAdapter(options.adapter);
    const start = weights && {
      file: weights.file,
      name: options.weights as string,
      unused: weights.pretrained?.unused,
    };
    const teacher = await readTeacher(options);
    const dataset = await openData({ ...options, imageSize: options.size });
    const epoch = stepsPerEpoch(dataset, options);
    const training = trainingOf(options, options.steps ?? options.epochs * epoch, epoch);
    const folder = path.resolve(options.out);
    await mkdir(folder, { recursive: true });
    await requireSameAblation(folder, {
      training: JSON.parse(JSON.stringify(training)) as Json,
      data: {
        trained: await fingerprint([...dataset.train, ...dataset.validation]),
        searched: await fingerprint([...dataset.queries, ...dataset.gallery]),
        contents:
          (await contentsFingerprint(
            [...dataset.train, ...dataset.validation, ...dataset.queries, ...dataset.gallery],
            dataset.images,
          )) ?? null,
      },
      start: start?.file.checksum ?? null,
      select: options.select,
    });

    const device = await openCommandDevice(options.adapter);
    const stop = stopOnSignal();
    let lock: Lock | undefined;
    try {
      lock = await Lock.take(path.join(folder, 'ablation.lock'));
      const work: Work = {
        device,
        selector: await openTuner(device, options),
        dataset,
        training,
        start,
        teacher,
        folder,
        options,
        signal: stop.signal,
      };
      const knowledge = prepared ?? (await knowledgeFor(work));
      const teaches = knowledge !== undefined || training.teacher.kind === 'online';
      if (!teaches)
        note(
          'there is no teacher (a classifier in --weights or --teacher, or --knowledge), so the last step, + preservation, is left out',
        );
      const steps = ABLATION.filter(({ name }) => name !== '+ preservation' || teaches);
      for (const [step, seed] of pairsOf(steps, seeds, start !== undefined, training)) {
        if (await resultIn(folder, step, seed)) continue;
        note(`\n${step.name}, seed ${seed}: ${step.what}`);
        const metrics = step.trained
          ? await trainedMetrics(work, step, seed, knowledge)
          : await untrainedMetrics(work, step, seed);
        if (metrics === undefined) {
          note(`stopped; give the same command again to go on`);
          return;
        }
        await writeFileAtomically(
          resultFile(folder, step, seed),
          encode(`${JSON.stringify({ step: step.name, seed, metrics }, null, 1)}\n`),
        );
      }
      await conclude(folder, seeds, {
        adapter: device.description.device,
        data: dataset.name,
        queries: dataset.queries.length,
        gallery: dataset.gallery.length,
        training: JSON.parse(JSON.stringify(training)) as Json,
        start: start?.name ?? null,
      });
    } finally {
      stop.release();
      await lock?.release();
      closeCommandDevice(device);
    }
  },
});

interface Work {
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

function seedsOf(typed: string): number[] {
  const seeds = typed.split(',').map((word) => Number(word.trim() === '' ? NaN : word));
  if (seeds.some((seed) => !Number.isInteger(seed) || seed < 0 || seed > 0xffffffff))
    throw new OptionError(
      `--seeds: whole numbers from 0 to 4294967295, separated by commas, are needed, and it is "${typed}"`,
    );
  return [...new Set(seeds)];
}

/** What is to be computed. Where nothing is drawn, one seed says it all. */
function pairsOf(
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
async function knowledgeFor({
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
async function trainedMetrics(
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
    // Nobody asks which weights were best.
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

async function untrainedMetrics(
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

const encode = (content: string): Uint8Array => new TextEncoder().encode(content);
const runName = ({ name }: AblationStep, seed: number): string =>
  `${name
    .replace(/[^a-z]+/g, ' ')
    .trim()
    .replaceAll(' ', '-')}-${seed}`;
const resultFile = (folder: string, step: AblationStep, seed: number): string =>
  path.join(folder, `${runName(step, seed)}.json`);
const resultIn = async (folder: string, step: AblationStep, seed: number): Promise<AblationResult | undefined> =>
  readFile(resultFile(folder, step, seed), 'utf8').then(
    (content) => JSON.parse(content) as AblationResult,
    () => undefined,
  );

/** @throws OptionError where the folder holds an ablation whose numbers come from something else */
async function requireSameAblation(folder: string, about: Json): Promise<void> {
  const file = path.join(folder, 'about.json');
  const before = await readFile(file, 'utf8').then(
    (content) => JSON.parse(content) as Json,
    () => undefined,
  );
  if (before === undefined) {
    await writeFileAtomically(file, encode(`${JSON.stringify(about, null, 1)}\n`));
    return;
  }
  // Earlier versions did not look into the pictures.
  const isOld = isJsonObject(before) && isJsonObject(before.data) && before.data.contents === undefined;
  const different = differences(before, about, isOld ? ['data.contents'] : []);
  if (different.length > 0)
    throw new OptionError(
      `--out: ${folder} holds another ablation; give another folder, or go on with it as it was:\n  ${different.join('\n  ')}`,
    );
}

async function conclude(
  folder: string,
  seeds: readonly number[],
  about: { readonly [name: string]: Json },
): Promise<void> {
  const found = await Promise.all(ABLATION.flatMap((step) => seeds.map((seed) => resultIn(folder, step, seed))));
  const results = found.filter((result) => result !== undefined);
  const summary = summarise(results);
  await writeFileAtomically(
    path.join(folder, 'ablation.json'),
    encode(
      `${JSON.stringify({ ...about, protocol: "SAKE's, AP@k divided by min(k, relevant photos)", summary, results }, null, 1)}\n`,
    ),
  );
  await writeFileAtomically(path.join(folder, 'ablation.md'), encode(`${markdownTable(summary)}\n`));
  printText(
    `\n${textTable(...tableOf(summary))}\nMean and standard deviation over seeds; ${path.join(folder, 'ablation.{json,md}')}\n`,
  );
}

function tableOf(summary: readonly Summary[]): [head: string[], rows: string[][]] {
  const names = Object.keys(summary[0]?.metrics ?? {});
  const cell = ({ mean, deviation }: { readonly mean: number; readonly deviation: number }): string =>
    Number.isNaN(deviation) ? mean.toFixed(4) : `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
  return [
    ['', 'seeds', ...names],
    summary.map(({ step, seeds, metrics }) => [
      step,
      String(seeds.length),
      ...names.map((name) => cell(metrics[name])),
    ]),
  ];
}

function markdownTable(summary: readonly Summary[]): string {
  const [head, rows] = tableOf(summary);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
