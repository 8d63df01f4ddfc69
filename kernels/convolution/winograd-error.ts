import { ceilDivide } from '../contract/grid.ts';
import { EPSILON, sumError, type Values } from '../kernel.ts';
import type { Matrix, Tile, WinogradProblem } from './winograd-problem.ts';

/**
 * y = A^T ((G g) * (B^T d)) for TILE destinations of 3 taps g and a line d of TILE + 2 sources. Of F(2, 3) with points
 * 0, 1, -1 and infinity, and of F(4, 3) with 0, 3/4, -3/4, 3/2, -3/2 and infinity: half the error of the usual 0, 1,
 * -1, 2, -2, see docs/kernels/convolution/winograd.md. The shaders hold the same numbers as formulas.
 */
export const WINOGRAD_MATRICES: Readonly<Record<Tile, { readonly A: Matrix; readonly B: Matrix; readonly G: Matrix }>> =
  {
    2: {
      A: [
        [1, 0],
        [1, 1],
        [1, -1],
        [0, 1],
      ],
      B: [
        [1, 0, 0, 0],
        [0, 1, -1, -1],
        [-1, 1, 1, 0],
        [0, 0, 0, 1],
      ],
      G: [
        [1, 0, 0],
        [1 / 2, 1 / 2, 1 / 2],
        [1 / 2, -1 / 2, 1 / 2],
        [0, 0, 1],
      ],
    },
    4: {
      A: [
        [1, 0, 0, 0],
        [1, 3 / 4, 9 / 16, 27 / 64],
        [1, -3 / 4, 9 / 16, -27 / 64],
        [1, 3 / 2, 9 / 4, 27 / 8],
        [1, -3 / 2, 9 / 4, -27 / 8],
        [0, 0, 0, 1],
      ],
      B: [
        [81 / 64, 0, 0, 0, 0, 0],
        [0, -27 / 16, 27 / 16, -27 / 32, 27 / 32, 81 / 64],
        [-45 / 16, -9 / 4, -9 / 4, -9 / 16, -9 / 16, 0],
        [0, 3 / 4, -3 / 4, 3 / 2, -3 / 2, -45 / 16],
        [1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
      ],
      G: [
        [64 / 81, 0, 0],
        [-128 / 243, -32 / 81, -8 / 27],
        [-128 / 243, 32 / 81, -8 / 27],
        [32 / 243, 16 / 81, 8 / 27],
        [32 / 243, -16 / 81, 8 / 27],
        [0, 0, 1],
      ],
    },
  };

/**
 * Roundings that a product passes outside its sum: two passes of each of the three transforms, by their longest lines.
 */
const TRANSFORM_ROUNDINGS: Readonly<Record<Tile, number>> = { 2: 2 * (3 + 1 + 3), 4: 2 * (4 + 5 + 6) };

/**
 * The error of a destination mixes all numbers of its tile: what rounding leaves of large ones stays where they cancel.
 * With every matrix and number replaced by its magnitude, the same three steps give the sum of magnitudes that a
 * destination's roundings are relative to; see docs/kernels/convolution/winograd.md.
 */
export function errorBound(problem: WinogradProblem, tile: Tile, inputs: Values): Float64Array {
  const { batch, source, destination, affine, residual } = problem;
  const { A, B, G } = WINOGRAD_MATRICES[tile];
  const side = tile + 2;
  const weights = magnitudeOfWeights(problem, G, inputs.w);
  const error = new Float64Array(batch * destination.height * destination.width * destination.channels);
  const tilesY = ceilDivide(destination.height, tile);
  const tilesX = ceilDivide(destination.width, tile);
  const terms = source.channels + TRANSFORM_ROUNDINGS[tile];
  for (let t = 0; t < batch * tilesY * tilesX; t++) {
    const image = Math.floor(t / (tilesY * tilesX));
    const firstY = (Math.floor(t / tilesX) % tilesY) * tile;
    const firstX = (t % tilesX) * tile;
    const tileMagnitudes = magnitudeOfTile(problem, B, inputs[problem.names.source], image, firstY, firstX);
    for (let o = 0; o < destination.channels; o++) {
      // The sum over channels, for each frequency.
      const products = new Float64Array(side * side);
      for (let f = 0; f < side * side; f++)
        for (let k = 0; k < source.channels; k++)
          products[f] +=
            tileMagnitudes[f * source.channels + k] * weights[(f * source.channels + k) * destination.channels + o];
      for (let i = 0; i < tile && firstY + i < destination.height; i++)
        for (let j = 0; j < tile && firstX + j < destination.width; j++) {
          let magnitude = 0;
          for (let a = 0; a < side; a++)
            for (let b = 0; b < side; b++) magnitude += Math.abs(A[a][i] * A[b][j]) * products[a * side + b];
          const place =
            ((image * destination.height + firstY + i) * destination.width + firstX + j) * destination.channels + o;
          error[place] = sumError(terms, magnitude);
          if (affine) {
            const scaled = Math.abs(inputs.scale[o]) * magnitude;
            const added = Math.abs(inputs.shift[o]) + (residual ? Math.abs(inputs.residual[place]) : 0);
            error[place] = error[place] * Math.abs(inputs.scale[o]) + EPSILON * 3 * (scaled + added);
          }
        }
    }
  }
  return error;
}

/** |G| |g| |G|^T, [side * side, source channels, destination channels]. */
function magnitudeOfWeights(
  { source, destination, dataGradient }: WinogradProblem,
  G: Matrix,
  w: Float64Array,
): Float64Array {
  const side = G.length;
  const pairs = source.channels * destination.channels;
  const result = new Float64Array(side * side * pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const k = Math.floor(pair / destination.channels);
    const o = pair % destination.channels;
    const taps = Array.from({ length: 9 }, (_, tap) =>
      Math.abs(dataGradient ? w[(8 - tap) * pairs + o * source.channels + k] : w[tap * pairs + pair]),
    );
    for (let a = 0; a < side; a++)
      for (let b = 0; b < side; b++)
        for (let tap = 0; tap < 9; tap++)
          result[(a * side + b) * pairs + pair] += Math.abs(G[a][Math.floor(tap / 3)] * G[b][tap % 3]) * taps[tap];
  }
  return result;
}

/** |B|^T |d| |B| of one tile, [side * side, source channels]. */
function magnitudeOfTile(
  { source, padding }: WinogradProblem,
  B: Matrix,
  values: Float64Array,
  image: number,
  firstY: number,
  firstX: number,
): Float64Array {
  const side = B.length;
  const result = new Float64Array(side * side * source.channels);
  for (let i = 0; i < side; i++)
    for (let j = 0; j < side; j++) {
      const y = firstY - padding[0] + i;
      const x = firstX - padding[1] + j;
      if (y < 0 || y >= source.height || x < 0 || x >= source.width) continue;
      const first = ((image * source.height + y) * source.width + x) * source.channels;
      for (let a = 0; a < side; a++)
        for (let b = 0; b < side; b++) {
          const factor = Math.abs(B[i][a] * B[j][b]);
          if (factor === 0) continue;
          for (let k = 0; k < source.channels; k++)
            result[(a * side + b) * source.channels + k] += factor * Math.abs(values[first + k]);
        }
    }
  return result;
}
