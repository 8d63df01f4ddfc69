/** What a report tells of a training: curves, settings, device, and metrics before and after. */
import path from 'node:path';
import type { Device } from '../../gpu/device.ts';
import type { RetrievalMetrics } from '../../retrieval/metrics.ts';
import { atCutoff } from '../../models/evaluation.ts';
import type { LogEntry } from '../../training/log.ts';
import { type RetrievalTraining } from '../../training/recipe.ts';
import { optionName } from '../options/option.ts';
import type { ReportChart, ReportEvaluation, ReportFact } from './report-input.ts';
import { textTable } from '../display/text-table.ts';

/** The metrics before and after a training, side by side. */
export function comparison(evaluations: readonly ReportEvaluation[]): string {
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

/** What computed. */
export function deviceFacts({ description }: Device): ReportFact[] {
  return [
    { name: 'Adapter', value: description.device },
    { name: 'Driver', value: description.description },
    { name: 'Node', value: process.version },
  ].filter(({ value }) => value !== '');
}

/** The settings of a training, for readers. */
export function settingFacts(training: RetrievalTraining, start: string | undefined): ReportFact[] {
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
