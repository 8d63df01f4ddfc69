import type { Dataset } from '../../data/dataset.ts';
import type { AdapterDescription } from '../../gpu/device.ts';
import type { RetrievalMetrics } from '../../retrieval/metrics.ts';
import type { Evaluation, RetrievalTask, TaskKind } from '../../models/evaluation.ts';
import { mapTask } from './embedding-map.ts';
import { renderReport } from './report.ts';
import type { ReportEvaluation } from './report-input.ts';
import { retrievalSheet } from '../display/retrieval-sheet.ts';

export interface MeasuredCodes {
  readonly bits: number;
  /** What they were fitted on, in words. */
  readonly fittedOn: string;
  readonly metrics: RetrievalMetrics;
}

export interface EvaluationPage {
  readonly modelPath: string;
  readonly checksum: string;
  readonly imageSize: number;
  readonly adapter: AdapterDescription;
  readonly dataset: Dataset;
  readonly kind: TaskKind;
  readonly task: RetrievalTask;
  readonly evaluation: Evaluation;
  readonly codes: MeasuredCodes | undefined;
  readonly seed: number;
}

/** What the page says of a task. */
const TASK_WORDS: Readonly<Record<TaskKind, { readonly title: string; readonly queries: string }>> = {
  'zero-shot': {
    title: 'sketch to picture, unseen classes',
    queries: 'Query sketches of classes that were never trained on',
  },
  'photo-to-photo': {
    title: 'photo to photo, unseen classes',
    queries: 'Query photos of classes that were never trained on',
  },
  generalised: {
    title: 'sketch to picture, unseen classes among all',
    queries: 'Query sketches of classes that were never trained on',
  },
  'generalised-sem-pcyc': {
    title: "sketch to picture, SEM-PCYC's generalised task",
    queries: 'Query sketches, most of them of classes that were never trained on',
  },
};

/** The page of `sketchgrad evaluate --report`. */
export async function evaluationReport({
  modelPath,
  checksum,
  imageSize,
  adapter,
  dataset,
  kind,
  task,
  evaluation,
  codes,
  seed,
}: EvaluationPage): Promise<string> {
  const evaluations: ReportEvaluation[] = [
    ...(codes === undefined ? [] : [{ name: `${codes.bits}-bit codes`, metrics: codes.metrics }]),
    { name: 'Embeddings', metrics: evaluation.metrics },
  ];
  return renderReport({
    title: `What ${modelPath} finds`,
    summary: `${task.name}: ${task.queries.length} queries, ${task.gallery.length} pictures.`,
    task: TASK_WORDS[kind],
    facts: [
      { name: 'Model', value: modelPath },
      { name: 'Checksum', value: checksum },
      { name: 'Adapter', value: `${adapter.device} ${adapter.description}` },
    ],
    settings: [
      { name: 'Data', value: dataset.name },
      { name: 'Images', value: `${imageSize} px` },
      ...(codes === undefined ? [] : [{ name: 'Codes', value: `${codes.bits} bits, fitted on ${codes.fittedOn}` }]),
    ],
    charts: [],
    evaluations,
    classNames: new Map(task.classNames.map((name, label) => [label, name])),
    contactSheet: await retrievalSheet(task, evaluation, dataset.images),
    map: mapTask(task, evaluation, seed),
  });
}
