/**
 * Pictures at their own size become the squares that a network sees, with the same bits in every runtime: decoders only
 * decode, and what follows is integer arithmetic, in which no order of sums and no rounding of an engine's own can
 * differ.
 */

/** A picture as a decoder gives it: RGB or RGBA u8, row-major, colors not multiplied by alpha. */
export interface DecodedPicture {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] or [height, width, 4]. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Half the width of Lanczos' window, in pixels of the coarser of the two grids. */
const LOBES = 3;
/** Pictures are first averaged in whole blocks down to this many times the square, which the filter then sees. */
const FILTERED_SCALE = 2;
/**
 * Bits behind the point, of weights and of gray levels between the passes. A line's weights, negative ones included,
 * add up to less than 1.6 in magnitude, so that levels fit 16 bits and sums of products 31.
 */
const WEIGHT_BITS = 14;
const LEVEL_BITS = 6;

/**
 * Lays a picture on white and stretches it to a square: a network that is trained on stretched images must be asked
 * with stretched images (method.md, Training). Lanczos' windowed sinc (Duchon, J. Appl. Meteorology 18, 1979), stretched
 * where the picture shrinks, so that nothing aliases; borders repeat.
 * @param size side of the result in pixels
 * @returns RGB u8, row-major [size, size, 3]
 * @throws RangeError where the picture's bytes are not those of its size
 */
export function stretchToSquare(picture: DecodedPicture, size: number): Uint8Array {
  const { width, height, data } = picture;
  if (!(width > 0 && height > 0) || ![3, 4].includes(data.length / (width * height)))
    throw new RangeError(`a picture of ${width} x ${height} pixels cannot have ${data.length} bytes of RGB or RGBA`);
  const [across, down] = [width, height].map((side) => Math.max(1, Math.floor(side / (FILTERED_SCALE * size))));
  const blocks = averageBlocks(onWhite(picture), width, height, across, down);
  const columns = filterTaps(width / across, Math.ceil(width / across), size);
  const rows = filterTaps(height / down, Math.ceil(height / down), size);
  // Each pass filters along lines and returns its result transposed.
  const levels = filterLines(filterLines(blocks, columns), rows);
  const result = new Uint8ClampedArray(levels.length);
  for (let i = 0; i < levels.length; i++) result[i] = (levels[i] + (1 << (LEVEL_BITS - 1))) >> LEVEL_BITS;
  return new Uint8Array(result.buffer);
}

/**
 * A picture's colors on white, RGB [height, width, 3]; rounded to gray levels, since a canvas, which keeps colors
 * multiplied by alpha, has nothing finer.
 */
export function onWhite({ width, height, data }: DecodedPicture): Uint8Array {
  // One class of array, whatever the decoder gives: the loops are compiled for it alone.
  const source = new Uint8Array(data.buffer, data.byteOffset, data.length);
  if (source.length === 3 * width * height) return source;
  const result = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < source.length; from += 4, to += 3) {
    const alpha = source[from + 3];
    if (alpha === 255) {
      result[to] = source[from];
      result[to + 1] = source[from + 1];
      result[to + 2] = source[from + 2];
    } else {
      for (let channel = 0; channel < 3; channel++)
        result[to + channel] = 255 - alpha + Math.round((source[from + channel] * alpha) / 255);
    }
  }
  return result;
}

/**
 * Levels of blocks of across x down pixels, each the mean of its pixels: [ceil(height / down), ceil(width / across),
 * 3].
 */
function averageBlocks(colors: Uint8Array, width: number, height: number, across: number, down: number): Int16Array {
  const columns = Math.ceil(width / across);
  const levels = new Int16Array(Math.ceil(height / down) * columns * 3);
  if (across === 1 && down === 1) {
    for (let i = 0; i < levels.length; i++) levels[i] = colors[i] << LEVEL_BITS;
    return levels;
  }
  let target = 0;
  for (let top = 0; top < height; top += down) {
    const bottom = Math.min(height, top + down);
    for (let left = 0; left < width; left += across) {
      const right = Math.min(width, left + across);
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          const source = 3 * (y * width + x);
          red += colors[source];
          green += colors[source + 1];
          blue += colors[source + 2];
        }
      }
      const levelsPerPixel = 2 ** LEVEL_BITS / ((bottom - top) * (right - left));
      levels[target++] = Math.round(red * levelsPerPixel);
      levels[target++] = Math.round(green * levelsPerPixel);
      levels[target++] = Math.round(blue * levelsPerPixel);
    }
  }
  return levels;
}

/** For each destination pixel along an axis, which source pixels it takes and with what weights. */
interface Taps {
  /** Pixels of a source line. */
  readonly source: number;
  /** Place of each destination pixel's first source pixel, [destination]. */
  readonly first: Int32Array;
  /** Where its weights begin, and the end of the last ones, [destination + 1]. */
  readonly begin: Int32Array;
  /** They sum to 2^WEIGHT_BITS for each destination pixel. */
  readonly weights: Int32Array;
}

/** @param levels lines of pixels, [lines, source, 3] @returns [destination, lines, 3] */
function filterLines(levels: Int16Array, { source, first, begin, weights }: Taps): Int16Array {
  const lines = Math.floor(levels.length / (3 * source));
  const result = new Int16Array(first.length * lines * 3);
  const half = 1 << (WEIGHT_BITS - 1);
  for (let line = 0; line < lines; line++) {
    for (let pixel = 0; pixel < first.length; pixel++) {
      let red = half;
      let green = half;
      let blue = half;
      let from = 3 * (line * source + first[pixel]);
      for (let tap = begin[pixel]; tap < begin[pixel + 1]; tap++, from += 3) {
        const weight = weights[tap];
        red += Math.imul(weight, levels[from]);
        green += Math.imul(weight, levels[from + 1]);
        blue += Math.imul(weight, levels[from + 2]);
      }
      const to = 3 * (pixel * lines + line);
      result[to] = red >> WEIGHT_BITS;
      result[to + 1] = green >> WEIGHT_BITS;
      result[to + 2] = blue >> WEIGHT_BITS;
    }
  }
  return result;
}

/**
 * @param extent length of a source line in source pixels, the last of which may be partial
 * @param source pixels of a line
 */
function filterTaps(extent: number, source: number, destination: number): Taps {
  const scale = extent / destination;
  const reach = LOBES * Math.max(1, scale);
  const first = new Int32Array(destination);
  const begin = new Int32Array(destination + 1);
  const weights: number[] = [];
  for (let index = 0; index < destination; index++) {
    const center = (index + 0.5) * scale - 0.5;
    const [from, to] = [Math.ceil(center - reach), Math.floor(center + reach)];
    const clamped = (pixel: number): number => Math.max(0, Math.min(source - 1, pixel));
    first[index] = clamped(from);
    const own = new Array<number>(clamped(to) - clamped(from) + 1).fill(0);
    for (let pixel = from; pixel <= to; pixel++)
      own[clamped(pixel) - clamped(from)] += lanczos((pixel - center) / Math.max(1, scale));
    for (const weight of wholeWeights(own)) weights.push(weight);
    begin[index + 1] = weights.length;
  }
  return { source, first, begin, weights: Int32Array.from(weights) };
}

/** Weights as whole numbers that sum to 2^WEIGHT_BITS; what rounding leaves over goes to the largest. */
function wholeWeights(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const whole = weights.map((weight) => Math.round((weight / sum) * 2 ** WEIGHT_BITS));
  whole[whole.indexOf(whole.reduce((most, weight) => Math.max(most, weight)))] +=
    2 ** WEIGHT_BITS - whole.reduce((total, weight) => total + weight, 0);
  return whole;
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}
