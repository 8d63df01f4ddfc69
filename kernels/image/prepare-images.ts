import { f32 } from '../contract/dispatch.ts';
import { elementBytes, widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
import { canStore, whenStored, type StorageType } from '../contract/storage-type.ts';

type Color = readonly [red: number, green: number, blue: number];

/** `type` is that of the output. */
export interface PrepareImagesProblem extends StorageType {
  /** Images in the batch. */
  readonly count: number;
  /** Side of the decoded images, in pixels. */
  readonly source: number;
  /** Side of the network's input, in pixels. */
  readonly size: number;
  /** Mean and standard deviation of the channels, with white as 1. */
  readonly mean: Color;
  readonly deviation: Color;
}

/** Floats of an image in `transforms`: a, b, c, d, e, f, fill red, green and blue (0 to 255), three of padding. */
export const TRANSFORM_LENGTH = 12;

const WORKGROUP_SIZE = 64;

/**
 * From u8 images [count, source, source, 3], four bytes to a u32, to the network's input [count, size, size, 4]: warped
 * by an affine map, (value / 255 - mean) / deviation, and a fourth channel of zeros.
 *
 * Output pixel (x, y) is read at (a x + b y + c, d x + e y + f) of its image, bilinearly; whole numbers are pixel
 * centers, and outside the image is the fill color.
 */
export const prepareImages: Kernel<PrepareImagesProblem> = {
  name: 'prepare_images',
  calls: (problem, traits) => {
    const { count, source, size, mean, deviation, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Stored, features } = widestElement(4, type);
    return [
      {
        variant: type === 'f32' ? 'pixel per invocation' : `pixel per invocation, ${Stored}`,
        operands: {
          images: { role: 'input', type: 'u32', length: wordsOf(count, source) },
          transforms: { role: 'input', type: 'f32', length: TRANSFORM_LENGTH * count },
          output: { role: 'output', type, length: 4 * count * size * size },
        },
        dispatches: [
          // Three bytes a pixel: an image may end within a word, and then slices are of several.
          sliceable(
            count,
            { images: (3 * source * source) / 4, transforms: TRANSFORM_LENGTH, output: 4 * size * size },
            (slice) => ({
              shader: shaders.prepareImages,
              features,
              constants: { Stored, WORKGROUP_SIZE },
              parameters: [
                slice,
                source,
                size,
                wordsOf(slice, source),
                ...deviation.map((value) => f32(1 / (255 * value))),
                ...deviation.map((value, channel) => f32(-mean[channel] / value)),
              ],
              operands: ['images', 'transforms', 'output'],
              workgroups: foldGrid(ceilDivide(slice * size * size, WORKGROUP_SIZE)),
            }),
          ),
        ],
      },
    ];
  },
  reference,
  cost: ({ count, source, size, type = 'f32' }) => ({
    flop: 35 * count * size * size,
    bytes: count * (3 * source * source + 4 * elementBytes(type) * size * size + 4 * TRANSFORM_LENGTH),
  }),
  cases: [
    { count: 1, source: 1, size: 1, mean: [0, 0, 0], deviation: [1, 1, 1] },
    { count: 3, source: 5, size: 7, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
    { count: 2, source: 31, size: 13, mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
    { count: 4, source: 64, size: 64, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
    { count: 3, source: 5, size: 7, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225], type: 'f16' },
  ],
  sampleInputs: ({ count, source, size }, uniform): Values => {
    const ratio = source / size;
    // Rotated, stretched, sheared, moved: partly outside, and sometimes whole images are.
    const transform = (): number[] => [
      ratio * (1 + 0.5 * uniform()),
      0.5 * uniform(),
      source * 0.6 * uniform(),
      0.5 * uniform(),
      -ratio * (1 + 0.5 * uniform()),
      source * (1 + 0.6 * uniform()),
      255 * Math.abs(uniform()),
      255,
      127.5,
      0,
      0,
      0,
    ];
    return {
      images: Float64Array.from({ length: wordsOf(count, source) }, () => Math.floor((uniform() + 1) * 2 ** 31)),
      transforms: Float64Array.from(Array.from({ length: count }, transform).flat(), Math.fround),
    };
  },
};

const wordsOf = (count: number, source: number): number => ceilDivide(3 * count * source * source, 4);

function reference(problem: PrepareImagesProblem, { images, transforms }: Values) {
  const { count, source, size, mean, deviation } = problem;
  const output = { value: new Float64Array(4 * count * size * size), error: new Float64Array(4 * count * size * size) };
  const byte = (index: number): number => Math.floor(images[Math.floor(index / 4)] / 256 ** (index % 4)) % 256;
  for (let image = 0; image < count; image++) {
    const [a, b, c, d, e, f, ...fill] = transforms.subarray(image * TRANSFORM_LENGTH, (image + 1) * TRANSFORM_LENGTH);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const sourceX = a * x + b * y + c;
        const sourceY = d * x + e * y + f;
        const left = Math.floor(sourceX);
        const top = Math.floor(sourceY);
        const right = sourceX - left;
        const lower = sourceY - top;
        // Two products, two sums.
        const place =
          2 *
          EPSILON *
          (Math.abs(a * x) + Math.abs(b * y) + Math.abs(c) + Math.abs(d * x) + Math.abs(e * y) + Math.abs(f));
        for (let channel = 0; channel < 3; channel++) {
          const tap = (column: number, row: number): number =>
            column < 0 || row < 0 || column >= source || row >= source
              ? fill[channel]
              : byte(3 * ((image * source + row) * source + column) + channel);
          const value =
            (1 - lower) * ((1 - right) * tap(left, top) + right * tap(left + 1, top)) +
            lower * ((1 - right) * tap(left, top + 1) + right * tap(left + 1, top + 1));
          // Neighbors differ by at most 255, so that a displacement moves the value by 255 times as much, also across
          // a pixel's border. Each mean of two rounds at most four times.
          const valueError = 255 * place + 8 * EPSILON * 255;
          const index = 4 * ((image * size + y) * size + x) + channel;
          const slope = 1 / (255 * deviation[channel]);
          const intercept = -mean[channel] / deviation[channel];
          output.value[index] = value * slope + intercept;
          output.error[index] =
            slope * valueError + EPSILON * (2 * value * slope + Math.abs(intercept) + Math.abs(output.value[index]));
        }
      }
    }
  }
  return { output: whenStored(output, problem) };
}
