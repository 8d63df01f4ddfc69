/**
 * Augmentation as geometry alone: for each image an affine map that tells the GPU where in the
 * source each output pixel is read. No pixel is touched here.
 */
import { RandomStream, STREAM } from '../random/philox.ts';
import { DOMAIN_INDEX } from './dataset.ts';

/**
 * Floats of one image's transform: a, b, c, d, e, f, then the fill's red, green, blue (0 to 255),
 * then three zeros, so that the GPU reads three vec4.
 *
 *     source_x = a * x + b * y + c,    source_y = d * x + e * y + f
 *
 * x, y and source_x, source_y are pixel indices: 0 is the center of the first pixel. A map between
 * equal sizes that changes nothing is therefore a = e = 1 and zeros.
 */
export const TRANSFORM_FLOATS = 12;

/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [number, number, number];
export const WHITE: Rgb = [255, 255, 255];

/** The square images a transform maps between, sides in pixels. */
export interface Sizes {
  readonly sourceSize: number;
  readonly outputSize: number;
}

/** Strengths and probabilities of the augmentation; the defaults are method.md's. */
export interface Augmentation {
  /** That an image is augmented at all. */
  readonly probability: number;
  /** Where each part is. */
  readonly partProbability: number;
  /** Both axes are scaled by U(scale[0], scale[1]), each by its own draw. */
  readonly scale: readonly [number, number];
  /** Rotation by U(-degrees, degrees). */
  readonly degrees: number;
  /** Shift by U(-shift, shift) in each axis, as a share of the side. */
  readonly shift: number;
  /** What photos are surrounded by where the map leaves the source, 0 to 255. Sketches are on white. */
  readonly photoFill: Rgb;
}

/** The augmentation of method.md. */
export const DEFAULT_AUGMENTATION: Augmentation = {
  probability: 0.7,
  partProbability: 0.5,
  scale: [0.7, 1.3],
  degrees: 30,
  shift: 10 / 224,
  photoFill: WHITE,
};

/**
 * Random transforms for the batch of a step. Each depends on (seed, step, position in the batch)
 * and on nothing else.
 *
 * Seen from the image: it is flipped horizontally, scaled, rotated and shifted, in this order and
 * about its center. The map is the inverse, from output to source.
 *
 * @param domains DOMAIN_INDEX of each image, [N]
 * @returns [N, TRANSFORM_FLOATS]
 */
export function augmentationTransforms(
  domains: Uint32Array,
  {
    seed,
    step,
    sourceSize,
    outputSize,
    augmentation = DEFAULT_AUGMENTATION,
  }: Sizes & { seed: number; step: number; augmentation?: Augmentation },
): Float32Array {
  const transforms = new Float32Array(domains.length * TRANSFORM_FLOATS);
  domains.forEach((domain, position) => {
    const random = new RandomStream(seed, STREAM.augmentation, [step, position]);
    const placement = random.uniform() < augmentation.probability ? drawPlacement(random, augmentation) : UNCHANGED;
    const fill = domain === DOMAIN_INDEX.photo ? augmentation.photoFill : WHITE;
    transforms.set([...inverse(placement, sourceSize, outputSize), ...fill], position * TRANSFORM_FLOATS);
  });
  return transforms;
}

/**
 * Transforms that only stretch the source to the output, for evaluation.
 *
 * @returns [count, TRANSFORM_FLOATS]
 */
export const identityTransforms = (count: number, sizes: Sizes): Float32Array => repeated(UNCHANGED, count, sizes);

/**
 * Like `identityTransforms`, with left and right exchanged.
 *
 * @returns [count, TRANSFORM_FLOATS]
 */
export const mirroredTransforms = (count: number, sizes: Sizes): Float32Array =>
  repeated({ ...UNCHANGED, mirror: -1 }, count, sizes);

function repeated(placement: Placement, count: number, { sourceSize, outputSize }: Sizes): Float32Array {
  const transforms = new Float32Array(count * TRANSFORM_FLOATS);
  for (let position = 0; position < count; position++) {
    transforms.set([...inverse(placement, sourceSize, outputSize), ...WHITE], position * TRANSFORM_FLOATS);
  }
  return transforms;
}

/** What happens to an image: mirrored (-1) or not (1), scaled, rotated (radians), shifted (shares of the side). */
interface Placement {
  readonly mirror: 1 | -1;
  readonly scale: readonly [number, number];
  readonly angle: number;
  readonly shift: readonly [number, number];
}

const UNCHANGED: Placement = { mirror: 1, scale: [1, 1], angle: 0, shift: [0, 0] };

function drawPlacement(random: RandomStream, { partProbability, scale, degrees, shift }: Augmentation): Placement {
  const happens = () => random.uniform() < partProbability;
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  return {
    mirror: happens() ? -1 : 1,
    scale: happens() ? [between(...scale), between(...scale)] : UNCHANGED.scale,
    angle: happens() ? (between(-degrees, degrees) * Math.PI) / 180 : 0,
    shift: happens() ? [between(-shift, shift), between(-shift, shift)] : UNCHANGED.shift,
  };
}

/** The six coefficients of the map from output to source pixel indices. */
function inverse({ mirror, scale, angle, shift }: Placement, sourceSize: number, outputSize: number): number[] {
  const ratio = sourceSize / outputSize;
  const a = (mirror * ratio * Math.cos(angle)) / scale[0];
  const b = (mirror * ratio * Math.sin(angle)) / scale[0];
  const d = (-ratio * Math.sin(angle)) / scale[1];
  const e = (ratio * Math.cos(angle)) / scale[1];
  // The shifted center of the output falls on the center of the source. Of a side of n pixels the center has the index
  // (n - 1) / 2.
  const x = (outputSize - 1) / 2 + shift[0] * outputSize;
  const y = (outputSize - 1) / 2 + shift[1] * outputSize;
  const center = (sourceSize - 1) / 2;
  return [a, b, center - a * x - b * y, d, e, center - d * x - e * y];
}
