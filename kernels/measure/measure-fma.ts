import { f32 } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type KernelCall } from '../kernel.ts';

export interface MeasureFmaProblem {
  readonly count: number;
  /** Multiply-adds of each number, one after the other. */
  readonly rounds: number;
}

/** |FACTOR| < 1 keeps the numbers small; negative, so that they do not creep up to their limit from one side. */
const FACTOR = -0.75;
const SUMMAND = 0.5;
/** Independent sequences of an invocation, as in the shader. */
const CHAINS = 8;
const WORKGROUP_SIZES = [64, 256];

/** The best rate of multiply-adds is that of the fastest variant. x, y [count]. */
export const measureFma: Kernel<MeasureFmaProblem> = {
  name: 'measure_fma',
  calls: ({ count, rounds }, traits) => {
    const elements = count % 4 === 0 ? (['vec4f', 'f32'] as const) : (['f32'] as const);
    return elements.flatMap((Element) =>
      WORKGROUP_SIZES.filter((size) => size <= traits.maxWorkgroupInvocations).map((workgroupSize): KernelCall => {
        const length = Element === 'vec4f' ? count / 4 : count;
        return {
          variant: `${Element}, ${workgroupSize} invocations`,
          operands: {
            x: { role: 'input', type: 'f32', length: count },
            y: { role: 'output', type: 'f32', length: count },
          },
          dispatches: [
            {
              shader: shaders.measureFma,
              constants: { Element, WORKGROUP_SIZE: workgroupSize },
              parameters: [length, rounds, f32(FACTOR), f32(SUMMAND)],
              operands: ['x', 'y'],
              workgroups: foldGrid(ceilDivide(length, CHAINS * workgroupSize)),
            },
          ],
        };
      }),
    );
  },
  reference: ({ rounds }, { x }) => {
    const value = x.slice();
    const error = new Float64Array(x.length);
    for (let r = 0; r < rounds; r++) {
      for (let i = 0; i < value.length; i++) {
        const product = value[i] * FACTOR;
        value[i] = product + SUMMAND;
        // The product may be rounded by itself; what was wrong before shrinks with it.
        error[i] = error[i] * Math.abs(FACTOR) + EPSILON * (Math.abs(product) + Math.abs(value[i])) + 1e-37;
      }
    }
    // Errors of second order: the bound itself was taken at exact values.
    return { y: { value, error: error.map((bound) => bound * (1 + 4 * rounds * EPSILON)) } };
  },
  cost: ({ count, rounds }) => ({ flop: 2 * count * rounds, bytes: 8 * count }),
  cases: [
    { count: 1, rounds: 1 },
    { count: 7, rounds: 3 },
    { count: 4 * 1031, rounds: 11 },
    { count: 16384, rounds: 8 },
  ],
};
