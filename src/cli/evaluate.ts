import { ensureAdapter, openDevice } from '../platform/adapter.ts';
import { atCutoff, CUTOFFS, evaluateNetwork, unseenTask } from '../training/evaluation.ts';
import { modelEmbeddings, openRetrievalModel, readModelDescription } from '../training/model.ts';
import type { MeanMetrics, RetrievalMetrics } from '../retrieval/metrics.ts';
import { defineCommand, SHARED_OPTIONS } from './command.ts';
import { DATA_OPTIONS, openData } from './data.ts';
import { MODEL_OPTION, namesIn, readModelFile } from './model-file.ts';
import { choice, integer, OptionError, toggle } from './options.ts';
import { Progress } from './progress.ts';
import { textTable } from './text-table.ts';
import { checkTuning, openTuner, TUNING_OPTIONS } from './tuning.ts';

export const EVALUATE_OPTIONS = {
  model: MODEL_OPTION,
  ...DATA_OPTIONS,
  seed: integer({ minimum: 0, maximum: 2 ** 32 - 1, default: 0, help: 'Seed of the split, where --unseen gives a share' }),
  perClass: toggle({ help: 'Show each class as well' }),
  apDenominator: choice(['protocol', 'hits'], { default: 'protocol', help: 'What AP@k is divided by: min(k, relevant photos), or the hits found, which flatters' }),
  json: toggle({ help: 'Print JSON instead of a table' }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const evaluateCommand = defineCommand({
  name: 'evaluate',
  summary: 'Measure how well a model finds photos of unseen classes by sketch',
  options: EVALUATE_OPTIONS,
  async run({ model: path, data, split, drawings, pixelCache, unseen, strict, seed, perClass, apDenominator, json, adapter, ...tuning }) {
    checkTuning(tuning);
    const file = await readModelFile(path, '--model');
    const { imageSize } = readModelDescription(file, path);
    await ensureAdapter(adapter);
    const dataset = await openData({ data, split, drawings, pixelCache, unseen, unseenClasses: namesIn(file, 'unseenClasses'), strict, imageSize, seed, validation: 0 });
    requireUnseen(dataset.unseenClasses, namesIn(file, 'classes') ?? [], path);

    const device = await openDevice(adapter);
    const progress = new Progress('embedding');
    try {
      const model = openRetrievalModel(device, file, path, await openTuner(device, tuning));
      const embeddings = await modelEmbeddings(model);
      const task = unseenTask(dataset);
      const { metrics } = await evaluateNetwork(embeddings, task, dataset.images, { apDenominator, onProgress: (done, total) => progress.update(done, total) });
      progress.stop();
      if (json) {
        const named = metrics.perClass.map(({ label, ...rest }) => ({ class: task.classNames[label], ...rest }));
        process.stdout.write(`${JSON.stringify({ model: path, checksum: file.checksum, data: dataset.name, protocol: protocolName(metrics), ...metrics, perClass: named }, null, 1)}\n`);
      } else {
        process.stdout.write(`${metricsText(metrics, perClass ? task.classNames : [])}\n`);
      }
      embeddings.destroy();
      model.storage.destroy();
    } finally {
      progress.stop();
      device.dispose();
    }
  },
});

/** @throws OptionError where a class that is to be measured was trained on: the figures would say nothing of new classes */
function requireUnseen(unseen: readonly string[], trained: readonly string[], model: string): void {
  const known = new Set(trained);
  const shared = unseen.filter((name) => known.has(name));
  if (shared.length === 0) return;
  const shown = shared.slice(0, 8).join(', ') + (shared.length > 8 ? ` and ${shared.length - 8} more` : '');
  throw new OptionError(`${model} was trained on ${shown}: measured on ${shared.length === 1 ? 'it' : 'them'}, it would show what it remembers and not what it generalises to. Give other unseen classes (--split or --unseen)`);
}

function protocolName({ apDenominator }: RetrievalMetrics): string {
  return apDenominator === 'protocol' ? "SAKE's, AP@k divided by min(k, relevant photos)" : 'AP@k divided by the hits among the first k; not comparable with figures that are divided by min(k, relevant photos)';
}

/** The metrics as a table. @param classNames given, each class has a line of its own */
export function metricsText(metrics: RetrievalMetrics, classNames: readonly string[] = []): string {
  const head = ['', 'queries', 'mAP@all', ...CUTOFFS.map((k) => `mAP@${k}`), ...CUTOFFS.map((k) => `P@${k}`)];
  const line = (name: string, queries: number, mean: MeanMetrics): string[] => [
    name,
    String(queries),
    mean.mapAll.toFixed(4),
    ...CUTOFFS.map((k) => atCutoff(mean, 'map', k).toFixed(4)),
    ...CUTOFFS.map((k) => atCutoff(mean, 'precision', k).toFixed(4)),
  ];
  const rows = [line('all queries', metrics.queries, metrics), line('mean of classes', metrics.queries, metrics.classMean)];
  if (classNames.length > 0) rows.push(...metrics.perClass.map((one) => line(classNames[one.label], one.queries, one)));
  const skipped = metrics.skippedQueries === 0 ? 'none was skipped' : `${metrics.skippedQueries} were skipped, as no photo is of their class`;
  return `${textTable(head, rows)}\n${metrics.queries} queries against ${metrics.gallerySize} photos; ${skipped}. Protocol: ${protocolName(metrics)}.`;
}
