/** What a report is made from. */
import type { RetrievalMetrics } from '../../retrieval/metrics.ts';
import type { ContactSheetRow } from '../display/contact-sheet.ts';
import type { EmbeddingMap } from './embedding-map.ts';

/** A line of a table of two columns. */
export interface ReportFact {
  readonly name: string;
  readonly value: string;
}

/** Curves over the same steps; one chart should hold values of one kind. */
export interface ReportChart {
  readonly title: string;
  readonly steps: readonly number[];
  /** One value a step; null where there is none. */
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  /** Whether to draw a moving average over the values, as for the noisy loss of single batches. */
  readonly smooth?: boolean;
}

/** The metrics of one set of weights. */
export interface ReportEvaluation {
  readonly name: string;
  readonly metrics: RetrievalMetrics;
}

export interface ReportInput {
  readonly title: string;
  /** One or two sentences under the title: what was done, and how long it took. */
  readonly summary: string;
  /** What was run on what: adapter, driver, versions, times. */
  readonly facts: readonly ReportFact[];
  readonly settings: readonly ReportFact[];
  readonly charts: readonly ReportChart[];
  /**
   * From the plainest weights to the result: random, starting checkpoint, trained. The last is the result, to which
   * ratios refer.
   */
  readonly evaluations: readonly ReportEvaluation[];
  /** The name of each label of the metrics. */
  readonly classNames: ReadonlyMap<number, string>;
  readonly contactSheet: readonly ContactSheetRow[];
  /** What searches what; sketches of unseen classes search pictures where it is left out. */
  readonly task?: { readonly title: string; readonly queries: string };
  /** Embeddings of the classes that are searched for. */
  readonly map?: EmbeddingMap;
  /** Where the images come from, with their licences. */
  readonly credits?: readonly string[];
}
