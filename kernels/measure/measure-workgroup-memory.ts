import { ceilDivide, foldGrid } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { sumError, type Kernel, type KernelCall } from '../kernel.ts';

export interface MeasureWorkgroupMemoryProblem {
  readonly tiles: number;
  /** Floats that are read at once. */
  readonly width: 1 | 4;
  /** Reads of each invocation. */
  readonly rounds: number;
}

/** Elements of a tile, as in the shader. */
const TILE = 64;
const WORKGROUP_SIZES = [64, 256];

/** The best rate of reads from workgroup memory is that of the fastest variant. x, y [tiles, 64, width]. */
export const measureWorkgroupMemory: Kernel<MeasureWorkgroupMemoryProblem> = {
  name: 'measure_workgroup_memory',
  calls: ({ tiles, width, rounds }, traits) => {
    const Element = width === 4 ? 'vec4f' : 'f32';
    const length = tiles * TILE * width;
    return WORKGROUP_SIZES.filter((size) => size <= traits.maxWorkgroupInvocations).map(
      (workgroupSize): KernelCall => ({
        variant: `${Element}, ${workgroupSize} invocations`,
        operands: { x: { role: 'input', type: 'f32', length }, y: { role: 'output', type: 'f32', length } },
        dispatches: [
          {
            shader: shaders.measureWorkgroupMemory,
            constants: { Element, WORKGROUP_SIZE: workgroupSize },
            parameters: [tiles, rounds],
            operands: ['x', 'y'],
            workgroups: foldGrid(ceilDivide(tiles * TILE, workgroupSize)),
          },
        ],
      }),
    );
  },
  reference: ({ width, rounds }, { x }) => {
    const y = blankExpected(x.length);
    x.forEach((_, i) => {
      const component = i % width;
      const invocation = Math.floor(i / width) % TILE;
      const tile = i - invocation * width - component;
      let magnitude = 0;
      for (let r = 0; r < rounds; r++) {
        const value = x[tile + ((invocation + r) % TILE) * width + component];
        y.value[i] += value;
        magnitude += Math.abs(value);
      }
      y.error[i] = sumError(rounds, magnitude);
    });
    return { y };
  },
  cost: ({ tiles, width, rounds }) => ({ flop: tiles * TILE * width * rounds, bytes: 8 * tiles * TILE * width }),
  cases: [
    { tiles: 1, width: 1, rounds: 1 },
    { tiles: 7, width: 4, rounds: 67 },
    { tiles: 9, width: 1, rounds: 130 },
  ],
};

/** Bytes that a problem reads from workgroup memory. */
export const workgroupMemoryBytes = ({ tiles, width, rounds }: MeasureWorkgroupMemoryProblem): number =>
  4 * tiles * TILE * width * rounds;
