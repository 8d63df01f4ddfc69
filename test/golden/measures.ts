/**
 * How far a ResNet's run is from PyTorch's float64 result, beside how far PyTorch's own float32 runs are.
 *
 * The fixture keeps of each tensor its norm and its projections on seeded vectors. For an error e and a random vector
 * v, E[(v.e)^2] = |e|^2 rms(v)^2, so |v.x - v.x64| / (|x64| rms(v)) estimates the relative L2 error; the root mean
 * square over the projections is what `projectedError` gives. generate.py measures PyTorch's float32 runs by the
 * same formulas.
 */
import { readFileSync } from 'node:fs';
import { integerStream, type Architecture, type NamedShape } from './integer-weights.ts';

interface Summary {
  readonly norm: number;
  readonly projections: readonly number[];
}

/** What generate.py measures, one error each. */
export type Quantity =
  | 'logits'
  | 'logits, projected'
  | 'loss'
  | 'gradients, median parameter'
  | 'gradients, rms'
  | 'gradients, worst parameter'
  | 'running statistics, rms'
  | 'running statistics, worst'
  | 'SGD losses'
  | 'Adam losses'
  | 'evaluation logits after SGD';

type Errors = Readonly<Record<Quantity, number>>;

/** resnet18.json and resnet50.json. */
export interface ResNetFixture {
  readonly batch: number;
  readonly size: number;
  readonly classes: number;
  readonly labels: readonly number[];
  readonly checksums: { readonly images: number; readonly parameters: number };
  readonly sgd: { readonly learningRate: number; readonly momentum: number; readonly weightDecay: number };
  readonly adam: {
    readonly learningRate: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly weightDecay: number;
  };
  readonly float32Errors: { readonly median: Errors; readonly runs: Readonly<Record<string, Errors>> };
  readonly logits: readonly (readonly number[])[];
  readonly logitRows: readonly Summary[];
  readonly loss: number;
  readonly parameters: readonly (NamedShape & Summary)[];
  readonly statistics: readonly ({ readonly name: string } & Summary)[];
  readonly sgdLosses: readonly number[];
  readonly adamLosses: readonly number[];
  readonly evalLogitRows: readonly Summary[];
}

/**
 * One line of the comparison: relative errors against PyTorch float64, ours and the median of PyTorch's float32 runs.
 */
export interface Comparison {
  readonly quantity: Quantity;
  readonly ours: number;
  readonly pytorchFloat32: number;
}

/** Reads the committed fixture. */
export function readResNetFixture(architecture: Architecture): ResNetFixture {
  return JSON.parse(readFileSync(new URL(`./${architecture}.json`, import.meta.url), 'utf8'));
}

/** Logits of the first training-mode forward pass, [batch, classes]. */
export function measureLogits(logits: Float32Array, fixture: ResNetFixture): Comparison[] {
  let error = 0;
  let norm = 0;
  fixture.logits.forEach((row, n) =>
    row.forEach((reference, k) => {
      error += (logits[n * fixture.classes + k] - reference) ** 2;
      norm += reference ** 2;
    }),
  );
  return [
    comparison('logits', Math.sqrt(error / norm), fixture),
    comparison('logits, projected', rowError(logits, fixture.logitRows), fixture),
  ];
}

/** Mean cross-entropy of the first step. */
export function measureLoss(loss: number, fixture: ResNetFixture): Comparison[] {
  return [comparison('loss', largestRelative([loss], [fixture.loss]), fixture)];
}

/** Error of every parameter's gradient, in the fixture's order. */
export function gradientErrors(gradients: ReadonlyMap<string, Float32Array>, fixture: ResNetFixture): number[] {
  return fixture.parameters.map((reference, position) =>
    projectedError(tensorNamed(gradients, reference.name), reference, 2000 + 8 * position),
  );
}

/** Gradients of the first step by torchvision name, in torchvision's layout (OIHW). */
export function measureGradients(gradients: ReadonlyMap<string, Float32Array>, fixture: ResNetFixture): Comparison[] {
  const errors = gradientErrors(gradients, fixture);
  return [
    comparison('gradients, median parameter', median(errors), fixture),
    comparison('gradients, rms', rootMeanSquare(errors), fixture),
    comparison('gradients, worst parameter', Math.max(...errors), fixture),
  ];
}

/** Every `running_mean` and `running_var` after the first training-mode forward pass, by torchvision name. */
export function measureRunningStatistics(
  statistics: ReadonlyMap<string, Float32Array>,
  fixture: ResNetFixture,
): Comparison[] {
  const errors = fixture.statistics.map((reference, position) =>
    projectedError(tensorNamed(statistics, reference.name), reference, 5000 + 8 * position),
  );
  return [
    comparison('running statistics, rms', rootMeanSquare(errors), fixture),
    comparison('running statistics, worst', Math.max(...errors), fixture),
  ];
}

/** The losses before each of the ten updates, from the same initial weights and on the same batch. */
export function measureLosses(
  losses: readonly number[],
  optimiser: 'SGD' | 'Adam',
  fixture: ResNetFixture,
): Comparison[] {
  const reference = optimiser === 'SGD' ? fixture.sgdLosses : fixture.adamLosses;
  return [comparison(`${optimiser} losses`, largestRelative(losses, reference), fixture)];
}

/** Evaluation-mode logits of the batch after the ten SGD updates, [batch, classes]. */
export function measureEvaluationLogits(logits: Float32Array, fixture: ResNetFixture): Comparison[] {
  return [comparison('evaluation logits after SGD', rowError(logits, fixture.evalLogitRows), fixture)];
}

/** Relative L2 error of `found`, estimated from its projections on the streams from `firstStream` on. */
export function projectedError(found: Float32Array, reference: Summary, firstStream: number): number {
  return rootMeanSquare(
    reference.projections.map((expected, j) => {
      const { projection, rms } = project(found, firstStream + j);
      return (projection - expected) / (reference.norm * rms);
    }),
  );
}

function project(array: Float32Array, stream: number): { projection: number; rms: number } {
  const vector = integerStream(stream);
  let projection = 0;
  let squares = 0;
  for (let index = 0; index < array.length; index++) {
    const value = vector(index);
    projection += value * array[index];
    squares += value * value;
  }
  return { projection, rms: Math.sqrt(squares / array.length) };
}

function rowError(matrix: Float32Array, rows: readonly Summary[]): number {
  const width = matrix.length / rows.length;
  return rootMeanSquare(rows.map((row, n) => projectedError(matrix.subarray(n * width, (n + 1) * width), row, 4000)));
}

function comparison(quantity: Quantity, ours: number, fixture: ResNetFixture): Comparison {
  return { quantity, ours, pytorchFloat32: fixture.float32Errors.median[quantity] };
}

function tensorNamed(tensors: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor named ${name}; found ${[...tensors.keys()].join(', ')}`);
  return tensor;
}

function largestRelative(found: readonly number[], reference: readonly number[]): number {
  if (found.length !== reference.length)
    throw new Error(`${found.length} values against ${reference.length} in the fixture`);
  return Math.max(...found.map((value, i) => Math.abs(value - reference[i]) / Math.abs(reference[i])));
}

const rootMeanSquare = (errors: readonly number[]): number =>
  Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);

function median(errors: readonly number[]): number {
  const sorted = [...errors].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** [batch, 3, size, size] to [batch, size, size, 4], the fourth channel zero. */
export function withFourChannels(planes: Float32Array, batch: number, size: number): Float32Array {
  const pixels = size * size;
  const result = new Float32Array(batch * pixels * 4);
  for (let n = 0; n < batch; n++)
    for (let channel = 0; channel < 3; channel++)
      for (let pixel = 0; pixel < pixels; pixel++)
        result[(n * pixels + pixel) * 4 + channel] = planes[(n * 3 + channel) * pixels + pixel];
  return result;
}
