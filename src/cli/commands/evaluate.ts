import { writeFileAtomically } from '../../platform/node/files.ts';
import { ensureAdapter } from '../../platform/adapter.ts';
import type { Dataset } from '../../data/dataset.ts';
import { codeWords, encode, fitBinaryCoder } from '../../retrieval/binary-codes.ts';
import { evaluateCodes } from '../../retrieval/evaluate.ts';
import type { MeanMetrics, RetrievalMetrics } from '../../retrieval/metrics.ts';
import {
  atCutoff,
  CUTOFFS,
  embedTask,
  evaluateNetwork,
  requireUnseen,
  taskOf,
  TASKS,
  type Evaluation,
  type RetrievalTask,
} from '../../models/evaluation.ts';
import { modelEmbeddings, type ImageRows } from '../../models/image-rows.ts';
import { openRetrievalModel, readModelDescription } from '../../models/retrieval-model.ts';
import { defineCommand } from '../command.ts';
import {
  CODES_OPTION,
  JSON_OPTION,
  PER_CLASS_OPTION,
  PRECISION_OPTION,
  SEED_OPTION,
  SHARED_OPTIONS,
  TUNING_OPTIONS,
} from '../options/shared.ts';
import { openData } from '../files/data.ts';
import { DATA_OPTIONS } from '../options/data.ts';
import { STORE_OPTION } from '../options/stores.ts';
import { STORE_FORMS } from '../../stores/open-store.ts';
import { firstRanks, topText } from '../evaluate/first-ranks.ts';
import { closeCommandDevice, openCommandDevice, checkPrecision } from '../device.ts';
import { evaluationReport, type MeasuredCodes } from '../report/evaluation-report.ts';
import { namesIn, readModelFile } from '../files/model-file.ts';
import { MODEL_OPTION } from '../options/model.ts';
import { choice, counts, text } from '../options/kinds.ts';
import { OptionError, type OptionValues } from '../options/option.ts';
import { note, printText, Progress } from '../display/progress.ts';
import { textTable } from '../display/text-table.ts';
import { checkTuning, openTuner } from '../tuning.ts';

export const EVALUATE_OPTIONS = {
  model: MODEL_OPTION,
  ...DATA_OPTIONS,
  seed: {
    ...SEED_OPTION,
    help: 'Seed of the split (if --unseen is a share), of samples of the task, and of the map',
  },
  task: choice(TASKS, {
    default: 'zero-shot',
    help: 'Queries and gallery: sketches and photos of unseen classes; photos of unseen classes among each other; sketches of unseen classes and photos of all classes; or as in SEM-PCYC, with a fifth of seen ones on both sides',
  }),
  cutoffs: counts({ default: CUTOFFS, help: 'The values of k for mAP@k and P@k' }),
  ranks: choice(['all', 'first'], {
    default: 'all',
    help: 'all ranks the whole gallery for mAP@all. first finds only as many photos as the largest cutoff needs, for mAP@k, P@k and hit@k: less time and memory for large galleries',
  }),
  store: {
    ...STORE_OPTION,
    help: `Measure the search of a vector store: ${STORE_FORMS}. evaluate fills it with the gallery; it must have no other pictures. Implies --ranks first, except for exact`,
  },
  perClass: PER_CLASS_OPTION,
  apDenominator: choice(['protocol', 'hits', 'relevant'], {
    default: 'protocol',
    help: 'The denominator of AP@k: min(k, relevant photos); the number of hits (optimistic); or all relevant photos',
  }),
  apEnvelope: choice(['voc', 'none'], {
    default: 'voc',
    help: 'The precision of a hit: the best at this or any later rank, as in SAKE, or its own',
  }),
  codes: { ...CODES_OPTION, help: 'Measure binary codes of this many bits as well (64 is usual)' },
  codesFit: choice(['seen', 'gallery'], {
    default: 'seen',
    help: 'The photos on which codes are fitted: of seen classes, or those of the gallery',
  }),
  report: text({
    placeholder: 'file.html',
    help: 'Write a page with the metrics of each class, a map of the embeddings, and the results of some queries',
  }),
  json: JSON_OPTION,
  precision: PRECISION_OPTION,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const evaluateCommand = defineCommand({
  name: 'evaluate',
  summary: 'Measure how well a model finds photos of unseen classes by sketch',
  options: EVALUATE_OPTIONS,
  async run(options) {
    const { model: path, seed, task: kind, perClass, report, json, adapter, store } = options;
    checkTuning(options);
    const hasStore = store !== STORE_OPTION.default;
    const onlyFirst = hasStore || options.ranks === 'first';
    if (onlyFirst && (perClass || report !== undefined || options.codes !== undefined))
      throw new OptionError(
        `--per-class, --report and --codes need the ranks of the whole gallery; leave them out, or ${hasStore ? '--store' : '--ranks first'}`,
      );
    const file = await readModelFile(path, '--model');
    const { imageSize, sketches } = readModelDescription(file, path);
    await ensureAdapter(adapter);
    const dataset = await openData({
      ...options,
      unseenClasses: namesIn(file, 'unseenClasses'),
      trainedClasses: namesIn(file, 'classes') ?? [],
      imageSize,
      sketches,
      validation: 0,
    });
    requireUnseen(dataset.unseenClasses, namesIn(file, 'classes') ?? [], path);

    const device = await openCommandDevice(adapter);
    const progress = new Progress('embedding');
    try {
      checkPrecision(device, options.precision);
      const model = openRetrievalModel(device, file, path, await openTuner(device, options), options.precision);
      const embeddings = await modelEmbeddings(model);
      const task = taskOf(kind, dataset, seed);
      const onProgress = (done: number, total: number): void => progress.update(done, total);
      if (onlyFirst) {
        const embedded = await embedTask(embeddings, task, dataset.images, onProgress);
        progress.stop();
        const metrics = await firstRanks(
          model.storage,
          { ...options, ...embedded, ...embedded.labels, dimension: embeddings.width },
          hasStore ? { address: store, modelChecksum: file.checksum } : undefined,
        );
        const about = { model: path, checksum: file.checksum, data: dataset.name, task: task.name };
        printText(
          json
            ? `${JSON.stringify({ ...about, ...(hasStore && { store }), ...metrics }, null, 1)}\n`
            : `${task.name}\n${topText(metrics)}\n`,
        );
        embeddings.destroy();
        model.storage.destroy();
        return;
      }
      const evaluation = await evaluateNetwork(embeddings, task, dataset.images, {
        ...options,
        on: model.storage,
        onProgress,
      });
      const codes =
        options.codes === undefined
          ? undefined
          : await measureCodes(embeddings, dataset, task, evaluation, { ...options, bits: options.codes, onProgress });
      progress.stop();
      if (json) {
        const about = { model: path, checksum: file.checksum, data: dataset.name, task: task.name };
        printText(
          `${JSON.stringify({ ...about, ...named(evaluation.metrics, task), ...(codes !== undefined && { codes: { bits: codes.bits, fittedOn: codes.fittedOn, ...named(codes.metrics, task) } }) }, null, 1)}\n`,
        );
      } else {
        const classNames = perClass ? task.classNames : [];
        printText(`${task.name}\n${metricsText(evaluation.metrics, classNames)}\n`);
        if (codes !== undefined)
          printText(
            `\n${codes.bits}-bit codes, fitted on ${codes.fittedOn}, ranked by Hamming distance\n${metricsText(codes.metrics, classNames)}\n`,
          );
      }
      if (report !== undefined) {
        const page = {
          modelPath: path,
          checksum: file.checksum,
          imageSize,
          adapter: device.description,
          dataset,
          kind,
          task,
          evaluation,
          codes,
          seed,
        };
        await writeFileAtomically(report, new TextEncoder().encode(await evaluationReport(page)));
        note(`report: ${report}`);
      }
      embeddings.destroy();
      model.storage.destroy();
    } finally {
      progress.stop();
      closeCommandDevice(device);
    }
  },
});

interface CodeRequest extends Pick<
  OptionValues<typeof EVALUATE_OPTIONS>,
  'codesFit' | 'seed' | 'cutoffs' | 'apDenominator' | 'apEnvelope'
> {
  readonly bits: number;
  readonly onProgress: (done: number, total: number) => void;
}

/** The metrics of binary codes of images that are embedded already. */
async function measureCodes(
  embeddings: ImageRows,
  { train, images }: Dataset,
  { gallery: searched }: RetrievalTask,
  { queries, gallery, labels }: Evaluation,
  request: CodeRequest,
): Promise<MeasuredCodes> {
  const { bits, codesFit, seed, cutoffs, apDenominator, apEnvelope, onProgress } = request;
  const photos = train.filter(({ domain }) => domain === 'photo');
  const fitOn =
    codesFit === 'gallery'
      ? gallery
      : await embeddings.compute(photos, images, (done) => onProgress(done, photos.length));
  const { coder } = fitBinaryCoder(fitOn, embeddings.width, { bits, seed });
  const codes = { queries: encode(coder, queries), gallery: encode(coder, gallery), words: codeWords(bits) };
  const fittedOn =
    codesFit === 'gallery'
      ? `the ${searched.length} photos that are searched`
      : `${photos.length} photos of seen classes`;
  return { bits, fittedOn, metrics: evaluateCodes({ ...codes, ...labels, cutoffs, apDenominator, apEnvelope }) };
}

/** The metrics with names for labels. */
function named({ perClass, ...rest }: RetrievalMetrics, { classNames }: RetrievalTask): object {
  return { ...rest, perClass: perClass.map(({ label, ...one }) => ({ class: classNames[label], ...one })) };
}

/** The metrics as a table. @param classNames given, each class has a line of its own */
export function metricsText(metrics: RetrievalMetrics, classNames: readonly string[] = []): string {
  const cutoffs = metrics.atCutoff.map(({ k }) => k);
  const head = ['', 'queries', 'mAP@all', ...cutoffs.map((k) => `mAP@${k}`), ...cutoffs.map((k) => `P@${k}`)];
  const line = (name: string, queries: number, mean: MeanMetrics): string[] => [
    name,
    String(queries),
    mean.mapAll.toFixed(4),
    ...cutoffs.map((k) => atCutoff(mean, 'map', k).toFixed(4)),
    ...cutoffs.map((k) => atCutoff(mean, 'precision', k).toFixed(4)),
  ];
  const rows = [
    line('all queries', metrics.queries, metrics),
    line('mean of classes', metrics.queries, metrics.classMean),
  ];
  if (classNames.length > 0)
    for (const one of metrics.perClass) rows.push(line(classNames[one.label], one.queries, one));
  const skipped =
    metrics.skippedQueries === 0
      ? 'none was skipped'
      : `${metrics.skippedQueries} were skipped, as no photo is of their class`;
  return `${textTable(head, rows)}\n${metrics.queries} queries against ${metrics.gallerySize} photos; ${skipped}. Protocol: ${metrics.protocol}.`;
}
