import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { classKey } from '../data/class-names.ts';
import { withStatisticsFor } from '../nn/retrieval-network.ts';
import type { State, StateTensor } from '../nn/state.ts';

/** How a teacher's logits become the knowledge of a class (method.md, Semantic knowledge preservation). */
export interface KnowledgeReading {
  /**
   * `softmax` is the mean of softmax(logits / temperature), `logits` the softmax of the mean of logits / temperature.
   */
  readonly mean: 'softmax' | 'logits';
  readonly temperature: number;
}

export const DEFAULT_READING: KnowledgeReading = { mean: 'softmax', temperature: 1 };

/**
 * Class-oriented knowledge (Tursun et al. 2022; method.md) as it grows, photo by photo: sums in float64, in the order
 * of the photos, so that a stored and restored state continues bit by bit. Prepared once, it lets training do
 * without the teacher and without a language model.
 */
export class ClassKnowledge {
  readonly width: number;
  /** [classes, width]. */
  readonly sums: Float64Array;
  /** Photos of each class, [classes]. */
  readonly counts: Uint32Array;
  private readonly reading: KnowledgeReading;

  /** @param width the teacher's classes @param begun what an earlier process had come to */
  constructor(
    classes: number,
    width: number,
    reading: KnowledgeReading,
    begun?: Pick<ClassKnowledge, 'sums' | 'counts'>,
  ) {
    this.width = width;
    this.reading = reading;
    this.sums = begun?.sums.slice() ?? new Float64Array(classes * width);
    this.counts = begun?.counts.slice() ?? new Uint32Array(classes);
  }

  /**
   * @param logits the teacher's, [photos, width] @param labels of the photos, [photos], each below the number of
   * classes
   */
  add(logits: Float32Array, labels: Uint32Array): void {
    const {
      sums,
      counts,
      width,
      reading: { mean, temperature },
    } = this;
    labels.forEach((label, photo) => {
      const row = logits.subarray(photo * width, (photo + 1) * width);
      const said = mean === 'softmax' ? softmaxOf(Float64Array.from(row, (logit) => logit / temperature)) : row;
      said.forEach((value, index) => (sums[label * width + index] += value));
      counts[label]++;
    });
  }

  /** @returns [classes, width], each row a distribution @throws RangeError where a class had no photo */
  table(): Float32Array {
    const {
      sums,
      counts,
      width,
      reading: { mean, temperature },
    } = this;
    const without = counts.indexOf(0);
    if (without >= 0) throw new RangeError(`class ${without} has no photo, so the teacher says nothing of it`);
    const rows = Array.from(counts, (count, label) => {
      const means = sums.subarray(label * width, (label + 1) * width).map((sum) => sum / count);
      return mean === 'softmax' ? means : softmaxOf(means.map((logit) => logit / temperature));
    });
    const table = new Float32Array(sums.length);
    rows.forEach((row, label) => table.set(row, label * width));
    return table;
  }
}

/** The knowledge in logits that are all in memory. @returns [classes, teacher classes], see ClassKnowledge */
export function classKnowledge(
  logits: Float32Array,
  labels: Uint32Array,
  classes: number,
  reading: KnowledgeReading = DEFAULT_READING,
): Float32Array {
  const knowledge = new ClassKnowledge(classes, logits.length / labels.length, reading);
  knowledge.add(logits, labels);
  return knowledge.table();
}

function softmaxOf(logits: Float64Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

/**
 * The retrieval network's weights made from a classifier's (docs/method.md, Network): with the classifier's W = U S
 * V^T, embedding = S_d V_d^T and teacher head = U_d with the old bias, so that the head on the embedding is the best
 * rank-d approximation of the old classifier. The trunk is taken over.
 *
 * U are the eigenvectors of W W^T, and S_d V_d^T = U_d^T W: for ImageNet's 1000 x 2048 that takes 20 s of a processor
 * where the library's full decomposition takes 51 s, and squares nothing that matters, as nothing is divided by a
 * singular value.
 *
 * Where the teacher knows every class that is to be trained on, the new classifier begins as the teacher's rows for
 * them; begun at random instead, its large first gradients spoil the embedding. Otherwise it is not in the result.
 * @param state of a Classifier: trunk, fc.weight [classes, features], fc.bias [classes]
 * @param teacherRow for each class to be trained on the teacher's row of the same class
 */
export function retrievalStateFrom(
  state: State,
  embedding: number,
  teacherRow?: readonly number[],
): Map<string, StateTensor> {
  const result = new Map(state);
  const weight = take(result, 'fc.weight');
  const bias = take(result, 'fc.bias');
  const [classes, features] = weight.shape;
  const rows = new Matrix(
    Array.from({ length: classes }, (_, row) =>
      Array.from(weight.values.subarray(row * features, (row + 1) * features)),
    ),
  );
  const { realEigenvalues: squares, eigenvectorMatrix: vectors } = new EigenvalueDecomposition(
    rows.mmul(rows.transpose()),
    { assumeSymmetric: true },
  );
  const strongest = [...squares.keys()].sort((a, b) => squares[b] - squares[a]).slice(0, embedding);
  const left = vectors.subMatrixColumn(strongest);
  // Where an embedding has more components than there are classes, those beyond stay zero.
  const down = new Float32Array(embedding * features);
  down.set(left.transpose().mmul(rows).to1DArray());
  const up = new Float32Array(classes * embedding);
  for (let c = 0; c < classes; c++) up.set(left.getRow(c), c * embedding);
  result.set('embedding.weight', { shape: [embedding, features], values: down });
  result.set('embedding.bias', { shape: [embedding], values: new Float32Array(embedding) });
  result.set('teacher.weight', { shape: [classes, embedding], values: up });
  result.set('teacher.bias', bias);
  if (teacherRow !== undefined) {
    const rowsOf = (width: number, values: Float32Array): Float32Array =>
      Float32Array.from(
        { length: teacherRow.length * width },
        (_, index) => values[teacherRow[Math.floor(index / width)] * width + (index % width)],
      );
    result.set('classifier.weight', { shape: [teacherRow.length, embedding], values: rowsOf(embedding, up) });
    result.set('classifier.bias', { shape: [teacherRow.length], values: rowsOf(1, bias.values) });
  }
  return result;
}

/**
 * A retrieval network as the classifier that it is: with x = E features + b and logits = C x + c, the one layer fc = C
 * E with the bias C b + c. So a network that was trained here can teach the next one.
 * @param state of a RetrievalNetwork; one with a cosine classifier, whose logits are not linear in x, is given back as
 * it is
 * @returns trunk, fc.weight [classes, features], fc.bias [classes]
 */
export function classifierOf(state: State): State {
  const [embedding, shift, classifier, bias] = [
    'embedding.weight',
    'embedding.bias',
    'classifier.weight',
    'classifier.bias',
  ].map((name) => state.get(name));
  if (embedding === undefined || shift === undefined || classifier === undefined || bias === undefined) return state;
  const [width, features] = embedding.shape;
  const [classes] = classifier.shape;
  const rows = new Matrix(
    Array.from({ length: classes }, (_, row) => Array.from(classifier.values.subarray(row * width, (row + 1) * width))),
  );
  const map = new Matrix(
    Array.from({ length: width }, (_, row) =>
      Array.from(embedding.values.subarray(row * features, (row + 1) * features)),
    ),
  );
  const offsets = rows.mmul(Matrix.columnVector(Array.from(shift.values))).to1DArray();
  return new Map<string, StateTensor>([
    // A classifier has one set of statistics: that of photos, which it is asked about.
    ...[...withStatisticsFor({}, state)].filter(([name]) => !/^(embedding|classifier|teacher)\./.test(name)),
    ['fc.weight', { shape: [classes, features], values: Float32Array.from(rows.mmul(map).to1DArray()) }],
    ['fc.bias', { shape: [classes], values: Float32Array.from(offsets, (offset, row) => offset + bias.values[row]) }],
  ]);
}

/** For each class the teacher's row of the same name; undefined where the teacher does not know one of them. */
export function teacherRows(classes: readonly string[], teacherClasses: readonly string[]): number[] | undefined {
  const row = new Map(teacherClasses.map((name, index) => [classKey(name), index]));
  const rows = classes.map((name) => row.get(classKey(name)));
  return rows.every((index) => index !== undefined) ? (rows as number[]) : undefined;
}

function take(state: Map<string, StateTensor>, name: string): StateTensor {
  const tensor = state.get(name);
  if (tensor === undefined)
    throw new RangeError(`the weights have no ${name}; a classifier's are needed, with its last layer called fc`);
  state.delete(name);
  return tensor;
}
