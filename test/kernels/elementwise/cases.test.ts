import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as functions from '../../../kernels/elementwise/functions.ts';
import {
  pointwiseKernel,
  type PointwiseFunction,
  type PointwiseProblem,
  withDerivatives,
} from '../../../kernels/elementwise/pointwise.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { sampleInputs } from '../../../src/tuning/qualification.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin, testFamily, uniformNumbers } from '../../support/kernel-test.ts';

testFamily('elementwise');

// What follows goes through the table of pointwise functions: a new row is tested without a new line here.
const rows = Object.values(functions) as PointwiseFunction[];
/** The functions of the rows and of their derivatives. */
const all = withDerivatives(rows);
const parametersOf = ({ parameters = {} }: PointwiseFunction): number[] => Object.values(parameters).map(Math.fround);

async function check(
  of: PointwiseFunction,
  problem: PointwiseProblem,
  inputs: Record<string, Float64Array>,
): Promise<void> {
  const device = await testDevice();
  const kernel = pointwiseKernel(of);
  const { result } = kernel.reference(problem, inputs);
  for (const call of kernel.calls(problem, device.traits)) {
    const found = await runKernel(device, call, inputs);
    assertWithin(`${of.name}, ${call.variant}`, found.result, result.value, result.error);
  }
}

const SPECIAL = [NaN, Infinity, -Infinity, 1e4, -1e4, 0, 3, -2.5];

for (const one of all) {
  test(`${one.name}: NaN stays NaN, infinities and large numbers give what float64 gives`, async () => {
    const [first, second] = one.operands.filter((name) => name !== 'dy');
    const grid = (index: (i: number) => number): Float64Array =>
      Float64Array.from({ length: 64 }, (_, i) => SPECIAL[index(i)]);
    await check(
      one,
      { count: 64, parameters: one.parameters },
      Object.fromEntries(
        one.operands.map((name) => {
          if (name === first) return [name, grid((i) => i % 8)];
          return [name, name === second ? grid((i) => i >> 3) : new Float64Array(64).fill(1.5)];
        }),
      ),
    );
  });
}

for (const one of rows) {
  const { name, operands, derivatives = [] } = one;
  test(`${name}: the derivatives agree with finite differences of the function, in float64`, () => {
    const uniform = uniformNumbers(5);
    const parameters = parametersOf(one);
    const { parameters: problemParameters } = pointwiseKernel(one).cases[0];
    const inputs = pointwiseKernel(one).sampleInputs?.({ count: 40, parameters: problemParameters }, uniform) ?? {};
    let compared = 0;
    derivatives.forEach((derivative, operand) => {
      for (let i = 0; i < 40; i++) {
        const point = operands.map((operandName) => inputs[operandName][i]);
        const step = 1e-5;
        const at = (distance: number): number =>
          one.value(...point.map((value, index) => (index === operand ? value + distance : value)), ...parameters);
        const [ahead, behind] = [at(step) - at(0), at(0) - at(-step)];
        // A kink.
        if (Math.abs(ahead - behind) > 0.01 * step) continue;
        const difference = (at(step) - at(-step)) / (2 * step);
        const dy = 1.7;
        const known: Record<string, number> = {
          dy,
          y: one.value(...point, ...parameters),
          ...Object.fromEntries(operands.map((operandName, index) => [operandName, point[index]])),
        };
        const numbers: Record<string, number> =
          derivative === 'dy' ? {} : { ...one.parameters, ...derivative.parameters };
        const found =
          derivative === 'dy'
            ? dy
            : derivative.function.value(
                ...derivative.of.map((tensor) => known[tensor]),
                ...Object.keys(derivative.function.parameters ?? {}).map((parameter) =>
                  Math.fround(numbers[parameter]),
                ),
              );
        const expected = dy * difference;
        assert.ok(
          Math.abs(found - expected) <= 1e-6 * (1 + Math.abs(expected)),
          `${name}, d${operands[operand]} at ${point.join(', ')} is ${found}; finite differences give ${expected}`,
        );
        compared++;
      }
    });
    assert.ok(compared >= 30 * derivatives.length, `${compared} points`);
  });
}

/** By what they show; each operand varies along an axis where it has a 1. */
const BROADCASTS: Readonly<Record<string, PointwiseProblem>> = {
  'a row for each of the channels, vectors': { count: 13 * 8, axes: [[13, 1, 0], [8, 1, 1]] },
  'inner and outer axes, scalars': { count: 3 * 7 * 5, axes: [[3, 1, 1], [7, 1, 0], [5, 1, 1]] },
  'both operands, one along the channels': { count: 6 * 9 * 8, axes: [[6, 0, 1], [9, 1, 1], [8, 1, 0]] },
  'one number': { count: 12, axes: [[12, 0, 1]] },
  'four axes': { count: 2 * 3 * 5 * 7, axes: [[2, 0, 1], [3, 1, 0], [5, 0, 1], [7, 1, 0]] },
}; // prettier-ignore

for (const [title, problem] of Object.entries(BROADCASTS)) {
  test(`operands are broadcast: ${title}`, async () => {
    const kernel = pointwiseKernel(functions.subtract);
    const { traits } = await testDevice();
    const [call] = kernel.calls(problem, traits);
    await check(functions.subtract, problem, sampleInputs(kernel, problem, call, uniformNumbers(3)));
  });
}

test.run();
