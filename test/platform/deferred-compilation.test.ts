import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { ShaderError } from '../../src/gpu/errors.ts';
import { PipelineCache } from '../../src/gpu/pipelines.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { compilesAtFirstDispatch, finishInParallel } from '../../src/platform/node/deferred-compilation.ts';
import { testDevice } from '../support/device.ts';

const filling = (size: number, Element = 'vec4f'): Dispatch => ({
  shader: shaders.fill,
  constants: { Element, Stored: Element, WORKGROUP_SIZE: size },
  parameters: [1],
  operands: ['values'],
  workgroups: [1, 1, 1],
});
const dispatches = [1, 2, 4, 8, 16, 32].map((size) => filling(size));

/** A cache whose pipelines are finished as on lavapipe, at once by all devices. */
async function cacheWith(openAnother: () => Promise<GPUDevice>): Promise<PipelineCache> {
  const { gpu } = await testDevice();
  return new PipelineCache(
    gpu,
    undefined,
    finishInParallel(openAnother, (work) => work, { devices: 3, slow: 0 }),
  );
}

test('deferred compilation: each pipeline is finished once, and further devices are given back', async () => {
  const opened: GPUDevice[] = [];
  const cache = await cacheWith(async () => {
    const { gpu } = await openDevice();
    opened.push(gpu);
    return gpu;
  });
  const heard: string[] = [];
  await cache.getAll([...dispatches, ...dispatches], (done, total) => heard.push(`${done}/${total}`));
  assert.equal(
    heard,
    dispatches.map((_, index) => `${index + 1}/${dispatches.length}`),
  );
  assert.ok(opened.length <= 2, `${opened.length} further devices`);
  for (const gpu of opened) assert.is((await gpu.lost).reason, 'destroyed');
  const openedBefore = opened.length;
  await cache.getAll(dispatches, (done, total) => heard.push(`${done}/${total}`));
  assert.is(heard.length, 2 * dispatches.length, 'those that were finished before are reported as well');
  assert.is(opened.length, openedBefore);
});

test('deferred compilation: where no other device opens, or it is lost, the first one finishes all', async () => {
  const openings = [
    () => Promise.reject(new Error('no device')),
    async () => {
      const { gpu } = await openDevice();
      gpu.destroy();
      return gpu;
    },
  ];
  for (const openAnother of openings) {
    const cache = await cacheWith(openAnother);
    await cache.getAll(dispatches);
  }
});

test('deferred compilation: a shader that does not compile is its error', async () => {
  const cache = await cacheWith(async () => (await openDevice()).gpu);
  const [outcome] = await Promise.allSettled([cache.getAll([...dispatches, filling(1, 'vec9f')])]);
  assert.is(outcome.status, 'rejected');
  assert.instance((outcome as PromiseRejectedResult).reason, ShaderError);
});

test('deferred compilation: for lavapipe, unless its cache is turned off', () => {
  const info = (description: string): GPUAdapterInfo => ({ description, device: '' }) as GPUAdapterInfo;
  assert.ok(compilesAtFirstDispatch(info('llvmpipe: Mesa 25.0.7'), {}));
  assert.not(compilesAtFirstDispatch(info('llvmpipe: Mesa 25.0.7'), { MESA_SHADER_CACHE_DISABLE: 'true' }));
  assert.not(compilesAtFirstDispatch(info('SwiftShader'), {}));
});

test.run();
