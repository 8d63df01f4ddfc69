/**
 * The integer generator that generate.py repeats bit for bit: both languages draw the same weights, images and
 * projection vectors, so that the golden fixtures need no weight file.
 */

/** A mixing function on 32-bit integers: equal inputs give equal outputs in every language. */
export function hash32(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0x735a2d97);
  x ^= x >>> 15;
  return x >>> 0;
}

/** The elements of `stream` by index, each uniform in [-1, 1) and exact in float64. */
export function integerStream(stream: number): (index: number) => number {
  const start = hash32(stream + 0x9e3779b9);
  return (index) => (hash32(index + start) / 2 ** 32) * 2 - 1;
}

/** The first `length` elements of `stream`, each passed through `scale`. */
export function integerValues(stream: number, length: number, scale: (value: number) => number): Float32Array {
  const element = integerStream(stream);
  const values = new Float32Array(length);
  for (let index = 0; index < length; index++) values[index] = scale(element(index));
  return values;
}

/** A parameter as torchvision names and lays it out: convolutions [out, in, height, width], linear [out, in]. */
export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** What the golden runs of the networks differ in. */
export const ARCHITECTURES = {
  resnet18: { lastNorm: 'bn2', imageStream: 1008 },
  resnet50: { lastNorm: 'bn3', imageStream: 1006 },
} as const;

export type Architecture = keyof typeof ARCHITECTURES;

/**
 * Initial weights of the golden runs, in torchvision's names and layout.
 * @param parameters every parameter in torchvision's `named_parameters()` order; the position is the stream.
 */
export function integerWeights(
  architecture: Architecture,
  parameters: readonly NamedShape[],
): Map<string, Float32Array> {
  return new Map(
    parameters.map(({ name, shape }, position) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return [name, integerValues(position, length, initialisation(architecture, name, shape))];
    }),
  );
}

function initialisation(architecture: Architecture, name: string, shape: readonly number[]): (value: number) => number {
  const lastNorm = new RegExp(`^layer.*\\.${ARCHITECTURES[architecture].lastNorm}\\.(weight|bias)$`).exec(name)?.[1];
  if (name === 'fc.weight') return (value) => value / Math.sqrt(shape[1]);
  if (shape.length === 4) {
    const bound = Math.sqrt(6 / (shape[0] * shape[2] * shape[3]));
    return (value) => value * bound;
  }
  if (lastNorm === 'weight') return (value) => 0.25 * (1 + 0.2 * value);
  if (name.endsWith('weight')) return (value) => 1 + 0.2 * value;
  if (name === 'bn1.bias') return (value) => -1 + 0.1 * value;
  if (name === 'fc.bias' || lastNorm === 'bias') return (value) => 0.1 * value;
  return (value) => 2 + 0.1 * value;
}

/** Input of the golden runs: [batch, 3, size, size], channels first. */
export function integerImages(architecture: Architecture, batch: number, size: number): Float32Array {
  return integerValues(ARCHITECTURES[architecture].imageStream, batch * 3 * size * size, (value) => 1.5 * value);
}

/** Sum of the float32 bit patterns modulo 2^32, as the fixture records it for images and parameters. */
export function bitChecksum(arrays: Iterable<Float32Array>): number {
  let sum = 0;
  for (const array of arrays) {
    for (const bits of new Uint32Array(array.buffer, array.byteOffset, array.length)) sum = (sum + bits) >>> 0;
  }
  return sum;
}
