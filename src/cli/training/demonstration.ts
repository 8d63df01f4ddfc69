import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { VariantSelector } from '../../autodiff/variant-selector.ts';
import { DeviceStorage } from '../../autodiff/device-storage.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Device } from '../../gpu/device.ts';
import { RetrievalNetwork } from '../../nn/retrieval-network.ts';
import { initializeNetwork, writeState } from '../../nn/state.ts';
import { backboneDefinition } from '../../nn/backbones/index.ts';
import type { ModelFile } from '../../models/model-file.ts';
import { evaluateNetwork, unseenTask, type Evaluation } from '../../models/evaluation.ts';
import { retrievalStateFrom } from '../../training/knowledge.ts';
import { modelEmbeddings, type ImageRows } from '../../models/image-rows.ts';
import type { LogEntry } from '../../training/log.ts';
import { type RetrievalTraining } from '../../training/recipe.ts';
import { trainRetrieval } from '../../training/run.ts';
import type { TrainedRetrieval } from '../../training/run-options.ts';
import { mapTask } from '../report/embedding-map.ts';
import { formatSeconds, note, printText, Progress } from '../display/progress.ts';
import { renderReport } from '../report/report.ts';
import type { ReportEvaluation, ReportFact } from '../report/report-input.ts';
import { retrievalSheet } from '../display/retrieval-sheet.ts';
import type { RunFolder } from '../files/run-folder.ts';
import { TrainingDisplay } from '../display/training-display.ts';
import { stopOnSignal } from '../stop-signal.ts';
import { comparison, deviceFacts, settingFacts, trainingCharts } from '../report/training-facts.ts';

export interface Demonstration {
  readonly device: Device;
  /** Selects the variants of kernels. */
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
    note(`stopped after ${trained.stepsDone} steps; continue with: sketchgrad train --resume ${folder.path}`);
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
 * Random weights, and the starting ones; of a classifier, with the embedding that it gives (docs/method.md, Network).
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
