import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { VariantSelector } from '../../autodiff/choices.ts';
import { DeviceStorage } from '../../autodiff/device-storage.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Device } from '../../gpu/device.ts';
import { RetrievalNetwork } from '../../nn/retrieval-network.ts';
import { initializeNetwork, writeState } from '../../nn/state.ts';
import { backboneDefinition } from '../../nn/backbones/index.ts';
import { ensureAdapter } from '../../platform/adapter.ts';
import { packageFile } from '../../platform/node/package-files.ts';
import type { RetrievalMetrics } from '../../retrieval/metrics.ts';
import type { ModelFile } from '../../training/checkpoint.ts';
import { atCutoff, evaluateNetwork, unseenTask, type Evaluation } from '../../training/evaluation.ts';
import { retrievalStateFrom } from '../../training/knowledge.ts';
import { modelEmbeddings, type ImageRows } from '../../training/model.ts';
import type { LogEntry } from '../../training/log.ts';
import { stepsPerEpoch, type RetrievalTraining } from '../../training/recipe.ts';
import { trainRetrieval } from '../../training/run.ts';
import type { TrainedRetrieval } from '../../training/run-options.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS, TUNING_OPTIONS } from '../options/shared.ts';
import { openData } from '../files/data.ts';
import { DEMO_RECIPE, DEMO_START, FULL_RECIPE } from '../training/demo-recipe.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { mapTask } from '../report/embedding-map.ts';
import { readModelFile, requireBackbone, requireWidth } from '../files/model-file.ts';
import { integer, text, toggle } from '../options/kinds.ts';
import { optionName, resolveOptions, type OptionValues } from '../options/option.ts';
import { formatSeconds, note, printText, Progress } from '../display/progress.ts';
import { renderReport, type ReportChart, type ReportEvaluation, type ReportFact } from '../report/report.ts';
import { PICTURE_SIZE, retrievalSheet } from '../display/retrieval-sheet.ts';
import { RunFolder, timestamp } from '../files/run-folder.ts';
import { textTable } from '../display/text-table.ts';
import { checkTuning, openTuner } from '../tuning.ts';
import { TrainingDisplay } from '../display/training-display.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { stopOnSignal } from '../stop-signal.ts';
import { storedOptions } from '../training/resumed-options.ts';
import { trainingOf } from '../training/settings.ts';

export const DEMO_OPTIONS = {
  full: toggle({ help: 'Full width at 224 px, for who has a GPU' }),
  weights: text({
    placeholder: 'file',
    help: `Starting weights, a classifier's or a model's (default: ${DEMO_START}, or random ones with --full)`,
  }),
  steps: integer({ minimum: 1, help: "Training steps, in place of the recipe's" }),
  seed: integer({
    minimum: 0,
    maximum: 2 ** 32 - 1,
    default: 0,
    help: 'Seed of data order, augmentation and new weights',
  }),
  out: text({ placeholder: 'folder', help: 'Where the report goes (default: runs/demo-<date>)' }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'Train on emoji and show what unseen ones a sketch finds; npm start does this',
  options: DEMO_OPTIONS,
  run: (options) => demo(options),
});

const CREDITS = [
  'Pictures: Noto Emoji and Noto Emoji v1, Google, Apache 2.0; FxEmojis, Mozilla, Apache 2.0; Fluent Emoji Flat, Microsoft, MIT.',
  'Sketches: Emoji One (Monotone), CC BY 4.0; outlines, with colours dropped, of Twemoji, Twitter, CC BY 4.0, of OpenMoji, CC BY-SA 4.0 (as are its outlines), and of Emoji One, CC BY 4.0.',
  'Packaged by Iconify. Class names: emojibase and Unicode CLDR.',
];

/** The whole job on the embedded data: evaluate, train, evaluate again, report. */
export async function demo(options: OptionValues<typeof DEMO_OPTIONS>): Promise<void> {
  checkTuning(options);
  await ensureAdapter(options.adapter);
  const recipe = resolveOptions(
    TRAIN_OPTIONS,
    { seed: options.seed, steps: options.steps, deterministic: options.deterministic },
    options.full ? FULL_RECIPE : DEMO_RECIPE,
  );
  const weights = options.weights ?? (options.full ? undefined : fileURLToPath(packageFile(DEMO_START)));
  const start = weights === undefined ? undefined : { file: await readModelFile(weights, '--weights'), name: weights };
  if (start !== undefined) {
    requireBackbone(start.file, start.name, recipe.backbone);
    requireWidth(start.file, start.name, recipe.width);
  }
  const folder = await RunFolder.open(options.out ?? path.join('runs', `demo-${timestamp()}`), {
    keep: 1,
    fresh: true,
  });

  const dataset = await openData({ ...recipe, imageSize: recipe.size });
  const training = trainingOf(recipe, recipe.steps ?? recipe.epochs * stepsPerEpoch(dataset, recipe));
  const device = await openCommandDevice(options.adapter);
  try {
    await demonstrate({
      device,
      selector: await openTuner(device, options),
      dataset,
      training,
      start,
      folder,
      pictures: () => openData({ ...recipe, imageSize: PICTURE_SIZE }),
      about: { options: storedOptions({ ...recipe, weights }) },
      credits: CREDITS,
    });
  } finally {
    await folder.release();
    closeCommandDevice(device);
  }
}

export interface Demonstration {
  readonly device: Device;
  /** Of the variants of kernels. */
  readonly selector?: VariantSelector;
  readonly dataset: Dataset;
  readonly training: RetrievalTraining;
  /** A classifier's weights or a model's; without them the training starts from random ones. */
  readonly start: { readonly file: ModelFile; readonly name: string } | undefined;
  readonly folder: RunFolder;
  /** The data once more, at a size at which the report shows its images. */
  readonly pictures: () => Promise<Dataset>;
  readonly about: Parameters<typeof trainRetrieval>[0]['about'];
  readonly credits: readonly string[];
}

/** The demo on any data and recipe. Prints as it goes; the report is `report.html` in the folder. */
export async function demonstrate({
  device,
  selector,
  dataset,
  training,
  start,
  folder,
  pictures,
  about,
  credits,
}: Demonstration): Promise<void> {
  const began = performance.now();
  await folder.prepare();
  const times: [stage: string, seconds: number][] = [];
  const stage = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    note(`\n${name}`);
    const from = performance.now();
    const result = await work();
    times.push([name, (performance.now() - from) / 1000]);
    return result;
  };
  note(
    `${device.description.device}. ${dataset.seenClasses.length} seen classes to train on, ${dataset.unseenClasses.length} unseen ones to search: ${dataset.queries.length} sketches, ${dataset.gallery.length} pictures; ${training.imageSize} px`,
  );

  const evaluations: ReportEvaluation[] = await stage('Searching before training', () =>
    evaluateUntrained(device, selector, dataset, training, start?.file),
  );

  const log: LogEntry[] = [];
  const trained = await stage(`Training: ${training.steps} steps with all three losses`, () =>
    train({ device, selector, dataset, training, start, folder, about }, log),
  );
  if (trained.stopped) {
    note(`stopped after ${trained.stepsDone} steps; go on with: sketchgrad train --resume ${folder.path}`);
    trained.model.storage.destroy();
    return;
  }
  const evaluation = await stage('Searching after training', async () => {
    const embeddings = await modelEmbeddings(trained.model);
    const result = await evaluateWithProgress(embeddings, dataset);
    embeddings.destroy();
    return result;
  });
  evaluations.push({ name: 'Trained', metrics: evaluation.metrics });

  const report = folder.file('report.html');
  await stage('Writing the report', async () => {
    const { file, deviceBusy } = trained;
    const minutes = formatSeconds((performance.now() - began) / 1000);
    const html = await renderReport({
      title: 'Search by sketch, for things never seen in training',
      summary: `A ${backboneDefinition(training.network.backbone).title} of width ${training.network.width} learned from ${dataset.seenClasses.length} kinds of emoji, ${training.steps} steps in ${minutes}, and is requested ${dataset.unseenClasses.length} other kinds.`,
      facts: [
        ...deviceFacts(device),
        ...times.map(([name, value]): ReportFact => ({ name, value: formatSeconds(value) })),
        { name: "Device had work in the steps' time", value: `${(100 * deviceBusy).toFixed(1)} %` },
        { name: 'Checksum of the weights', value: file.checksum },
      ],
      settings: settingFacts(training, start?.name),
      charts: trainingCharts(log),
      evaluations,
      classNames: new Map(dataset.unseenClasses.map((name, label) => [label, name])),
      contactSheet: await retrievalSheet(unseenTask(dataset), evaluation, (await pictures()).images),
      map: mapTask(unseenTask(dataset), evaluation, training.seed),
      credits,
    });
    await writeFile(report, html);
  });

  printText(
    `\nUnseen classes, sketch to picture\n${comparison(evaluations)}\nProtocol: ${evaluation.metrics.protocol}.\n\n`,
  );
  for (const [name, seconds] of times) printText(`${formatSeconds(seconds).padStart(12)}  ${name}\n`);
  printText(
    `\nweights: ${folder.file('model.safetensors')}, checksum ${trained.file.checksum}\nreport:  ${path.resolve(report)}\n`,
  );
  trained.model.storage.destroy();
}

/**
 * Random weights, and the starting ones; of a classifier, with the embedding that it gives (method.md, Initialisation).
 */
async function evaluateUntrained(
  device: Device,
  selector: VariantSelector | undefined,
  dataset: Dataset,
  { seed, network: settings, imageSize, pixels }: RetrievalTraining,
  start: ModelFile | undefined,
): Promise<ReportEvaluation[]> {
  const storage = new DeviceStorage(device, selector);
  const network = new RetrievalNetwork({ ...settings, classes: dataset.seenClasses.length, teacherClasses: 0 });
  await initializeNetwork(network, storage, seed);
  const embeddings = await modelEmbeddings({ network, storage, imageSize, pixels });
  try {
    const evaluations = [
      { name: 'Random weights', metrics: (await evaluateWithProgress(embeddings, dataset)).metrics },
    ];
    if (start !== undefined) {
      // A classifier has to become a retrieval model first; the heads of classes take no part in a search.
      const state = start.state.has('fc.weight') ? retrievalStateFrom(start.state, settings.embedding) : start.state;
      writeState(network, storage, new Map([...state].filter(([name]) => !/^(classifier|teacher)\./.test(name))), {
        partial: true,
      });
      evaluations.push({
        name: 'Starting checkpoint',
        metrics: (await evaluateWithProgress(embeddings, dataset)).metrics,
      });
    }
    return evaluations;
  } finally {
    embeddings.destroy();
    storage.destroy();
  }
}

async function evaluateWithProgress(embeddings: ImageRows, dataset: Dataset): Promise<Evaluation> {
  const progress = new Progress('embedding');
  try {
    return await evaluateNetwork(embeddings, unseenTask(dataset), dataset.images, {
      onProgress: (done, total) => progress.update(done, total),
    });
  } finally {
    progress.stop();
  }
}

async function train(
  { folder, training, ...rest }: Omit<Demonstration, 'credits' | 'pictures'>,
  log: LogEntry[],
): Promise<TrainedRetrieval> {
  const display = new TrainingDisplay(training);
  const stop = stopOnSignal();
  try {
    return await trainRetrieval({
      ...rest,
      training,
      signal: stop.signal,
      onCheckpoint: (checkpoint) => folder.save(checkpoint),
      onProgress: display.onProgress,
      onLog: (entry) => {
        log.push(entry);
        folder.log(entry);
        display.onLog(entry);
      },
    });
  } finally {
    stop.release();
    display.stop();
  }
}

function comparison(evaluations: readonly ReportEvaluation[]): string {
  const result = evaluations[evaluations.length - 1];
  const earlier = evaluations.slice(0, -1);
  const line = (name: string, value: (metrics: RetrievalMetrics) => number): string[] => [
    name,
    ...evaluations.map(({ metrics }) => value(metrics).toFixed(4)),
    ...earlier.map(({ metrics }) =>
      value(metrics) > 0 ? `${(value(result.metrics) / value(metrics)).toFixed(2)}×` : '–',
    ),
  ];
  return textTable(
    ['', ...evaluations.map(({ name }) => name), ...earlier.map(({ name }) => `to ${name.toLowerCase()}`)],
    [
      line('mAP@all', ({ mapAll }) => mapAll),
      line('mAP@200', (metrics) => atCutoff(metrics, 'map', 200)),
      line('P@1', (metrics) => atCutoff(metrics, 'precision', 1)),
      line('P@10', (metrics) => atCutoff(metrics, 'precision', 10)),
    ],
  );
}

/** The curves of a training, out of its log. */
export function trainingCharts(log: readonly LogEntry[]): ReportChart[] {
  const steps = log.filter((entry) => entry.event === 'step');
  const chart = (title: string, names: readonly string[], smooth: boolean): ReportChart => ({
    title,
    smooth,
    steps: steps.map(({ step }) => step + 1),
    series: names.map((name) => ({
      name,
      values: steps.map((entry) => (name === 'learning rate' ? entry.learningRate : (entry.values[name] ?? null))),
    })),
  });
  const has = (name: string): boolean => steps.some(({ values }) => name in values);
  return [
    chart('Classification and preservation loss', ['classification', 'preservation'].filter(has), true),
    chart('Quadruplet loss', ['quadruplet'], true),
    chart(
      'Distances between embeddings',
      [
        'distance to the positive',
        'distance to the negative of the own domain',
        'distance to the negative of the other domain',
      ].filter(has),
      true,
    ),
    chart('Learning rate', ['learning rate'], false),
  ];
}

function deviceFacts({ description }: Device): ReportFact[] {
  return [
    { name: 'Adapter', value: description.device },
    { name: 'Driver', value: description.description },
    { name: 'Node', value: process.version },
  ].filter(({ value }) => value !== '');
}

function settingFacts(training: RetrievalTraining, start: string | undefined): ReportFact[] {
  const { seed, steps, imageSize, network, batchNorm, classesPerBatch, imagesPerDomain, losses, optimizer, schedule } =
    training;
  const facts: Record<string, string | number> = {
    startingWeights: start === undefined ? 'random' : path.basename(start),
    seed,
    steps,
    images: `${imageSize} px`,
    batch: `${classesPerBatch} classes x (${imagesPerDomain} sketches + ${imagesPerDomain} photos)`,
    width: network.width,
    embedding: network.embedding,
    batchNorm,
    losses: `${losses.quadruplet} x quadruplet + ${losses.classification} x classification + ${losses.preservation} x preservation`,
    quadruplet: `margin ${losses.margin}, ${losses.mining}, from step ${losses.quadrupletStart} on, rising over ${losses.quadrupletRamp}`,
    optimizer: `${optimizer.kind}, weight decay ${optimizer.weightDecay}`,
    learningRate: `${schedule.learningRate}, ${schedule.decay}`,
  };
  return Object.entries(facts).map(([name, value]) => ({
    name: optionName(name).replaceAll('-', ' '),
    value: String(value),
  }));
}
