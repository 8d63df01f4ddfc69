import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Kernel, KernelCall, Values } from '../../kernels/kernel.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { testDevice } from './device.ts';

/** Registers a test for each ragged case of a kernel: every variant that the adapter offers against the reference. */
export function testKernel<Problem>(kernel: Kernel<Problem>): void {
  kernel.cases.forEach((problem, index) => {
    test(`${kernel.name}: case ${index} ${JSON.stringify(problem)}`, async () => {
      const device = await testDevice();
      const calls = kernel.calls(problem, device.traits);
      assert.ok(calls.length > 0, 'the kernel offers no variant');
      const inputs = kernel.sampleInputs?.(problem, uniformNumbers(index)) ?? uniformInputs(calls[0], index);
      const expected = kernel.reference(problem, inputs);
      for (const call of calls) {
        const actual = await runKernel(device, call, inputs);
        for (const [name, { value, error }] of Object.entries(expected)) {
          assertWithin(`${call.variant}: ${name}`, actual[name], value, error);
        }
      }
    });
  });
}

/** Fails with the worst element if any value is further from its reference than its own bound. */
export function assertWithin(what: string, actual: ArrayLike<number>, value: ArrayLike<number>, error: ArrayLike<number>): void {
  assert.is(actual.length, value.length, `${what}: length`);
  let worst = -1;
  let worstRatio = 1;
  for (let i = 0; i < value.length; i++) {
    const difference = Math.abs(actual[i] - value[i]);
    // NaN must not slip through a comparison that it makes false.
    const ratio = difference === 0 || Object.is(actual[i], value[i]) ? 0 : Number.isNaN(difference) ? Infinity : difference / error[i];
    if (ratio > worstRatio) {
      worst = i;
      worstRatio = ratio;
    }
  }
  if (worst >= 0) {
    assert.unreachable(`${what}[${worst}] is ${actual[worst]}, expected ${value[worst]} within ${error[worst]} (${worstRatio.toPrecision(3)} times the bound)`);
  }
}

/** Reproducible numbers in [-1, 1) that float32 holds exactly. */
export function uniformNumbers(seed: number): () => number {
  let state = (seed * 0x9e3779b9 + 0x85ebca6b) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 8) / 2 ** 23) - 1;
  };
}

export function uniformInputs(call: KernelCall, seed: number): Values {
  const uniform = uniformNumbers(seed);
  const given = Object.entries(call.operands).filter(([, operand]) => operand.role === 'input' || operand.role === 'inout');
  return Object.fromEntries(given.map(([name, operand]) => [name, Float64Array.from({ length: operand.length }, uniform)]));
}
