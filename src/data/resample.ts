/** Pictures at their own size become the squares that a network sees, with the same numbers in every runtime. */

/** A picture as a decoder gives it: RGBA u8, row-major, colours not multiplied by alpha. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 4]. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Half the width of Lanczos' window, in pixels of the coarser of the two grids. */
const LOBES = 3;

/**
 * Lays a picture on white and stretches it to a square: a network that is trained on stretched images must be asked with
 * stretched images (method.md, Training). Lanczos' windowed sinc (Duchon, J. Appl. Meteorology 18, 1979), widened where the
 * picture shrinks, so that nothing aliases; borders repeat.
 * @param size side of the result in pixels
 * @returns RGB u8, row-major [size, size, 3]
 */
export function stretchToSquare({ width, height, data }: RgbaImage, size: number): Uint8Array {
  if (!(width > 0 && height > 0) || data.length !== 4 * width * height) throw new RangeError(`a picture of ${width} x ${height} pixels cannot have ${data.length} bytes of RGBA`);
  const columns = filterTaps(width, size);
  const rows = filterTaps(height, size);

  // Rows first: [height, size, 3].
  const narrowed = new Float32Array(height * size * 3);
  const line = new Float32Array(width * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const source = 4 * (y * width + x);
      const alpha = data[source + 3] / 255;
      for (let channel = 0; channel < 3; channel++) line[3 * x + channel] = 255 + (data[source + channel] - 255) * alpha;
    }
    columns.forEach(({ first, weights }, x) => {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let tap = 0; tap < weights.length; tap++) sum += weights[tap] * line[3 * (first + tap) + channel];
        narrowed[3 * (y * size + x) + channel] = sum;
      }
    });
  }

  const result = new Uint8Array(size * size * 3);
  rows.forEach(({ first, weights }, y) => {
    for (let element = 0; element < 3 * size; element++) {
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap++) sum += weights[tap] * narrowed[3 * size * (first + tap) + element];
      result[3 * size * y + element] = Math.max(0, Math.min(255, Math.round(sum)));
    }
  });
  return result;
}

/** The source pixels of each destination pixel along one axis, with weights that sum to 1. */
function filterTaps(source: number, destination: number): { readonly first: number; readonly weights: Float64Array }[] {
  const scale = source / destination;
  const reach = LOBES * Math.max(1, scale);
  return Array.from({ length: destination }, (_, index) => {
    const centre = (index + 0.5) * scale - 0.5;
    const [from, to] = [Math.ceil(centre - reach), Math.floor(centre + reach)];
    const first = Math.max(0, from);
    const weights = new Float64Array(Math.min(source - 1, to) - first + 1);
    for (let pixel = from; pixel <= to; pixel++) {
      weights[Math.max(0, Math.min(source - 1, pixel)) - first] += lanczos((pixel - centre) / Math.max(1, scale));
    }
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}
