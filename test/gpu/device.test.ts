import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Device, isSoftware } from '../../src/gpu/device.ts';
import { AdapterError, DeviceLostError, ValidationError } from '../../src/gpu/errors.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { testDevice } from '../support/device.ts';

const info = (device: string, description = ''): GPUAdapterInfo =>
  ({ vendor: '', architecture: '', device, description }) as GPUAdapterInfo;

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome.status === 'rejected' ? outcome.reason : assert.unreachable('it should have failed');
}

test("a device is asked for with all that the adapter has, not WebGPU's defaults", async () => {
  const used = {
    maxBufferSize: 2 ** 40,
    maxStorageBufferBindingSize: 2 ** 35,
    maxComputeInvocationsPerWorkgroup: 2048,
  };
  let asked: GPUDeviceDescriptor | undefined;
  const adapter = {
    info: info('a GPU'),
    limits: { ...used, maxTextureDimension1D: 9 },
    features: new Set([
      'subgroups',
      'timestamp-query',
      'texture-compression-bc',
      'chromium-experimental-subgroup-matrix',
    ]),
    requestDevice: (descriptor: GPUDeviceDescriptor) => {
      asked = descriptor;
      return Promise.reject(new Error('enough'));
    },
  } as unknown as GPUAdapter;
  assert.match(String(await rejection(Device.open(adapter))), 'enough');
  assert.equal(asked?.requiredLimits, used);
  assert.equal(asked?.requiredFeatures, ['subgroups', 'chromium-experimental-subgroup-matrix', 'timestamp-query']);
});

test('matrix units are those that sum in float32, where the device was given the feature', () => {
  const configs = [
    { componentType: 'f16', resultComponentType: 'f16', M: 8, N: 8, K: 8 },
    { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 8, K: 32 },
    { componentType: 'i8', resultComponentType: 'i32', M: 8, N: 8, K: 32 },
  ];
  const unitsOf = (features: readonly string[], listed: readonly unknown[] | undefined): unknown => {
    const gpu = {
      features: new Set(features),
      limits: {},
      addEventListener: () => undefined,
      lost: new Promise(() => undefined),
    } as unknown as GPUDevice;
    return new Device(gpu, {
      ...info('a GPU'),
      subgroupMinSize: 16,
      subgroupMaxSize: 32,
      subgroupMatrixConfigs: listed,
    } as GPUAdapterInfo).traits.matrixUnits;
  };
  const feature = 'chromium-experimental-subgroup-matrix';
  assert.equal(unitsOf([feature], configs), {
    products: [{ component: 'f16', rows: 16, columns: 8, depth: 32 }],
    subgroupSizes: [16, 32],
  });
  assert.is(unitsOf([feature], configs.slice(0, 1)), undefined);
  assert.is(unitsOf([feature], undefined), undefined);
  assert.is(unitsOf([], configs), undefined);
});

test("kernels hear of the device's limits", async () => {
  const { gpu, traits } = await testDevice();
  assert.ok(gpu.limits.maxBufferSize > 268435456, 'above the default');
  assert.is(traits.maxWorkgroupInvocations, gpu.limits.maxComputeInvocationsPerWorkgroup);
  assert.is(traits.maxWorkgroupStorageBytes, gpu.limits.maxComputeWorkgroupStorageSize);
});

test('both software adapters are known as such, GPUs are not', async () => {
  assert.is((await testDevice()).traits.kind, 'cpu');
  for (const name of [
    'SwiftShader Device (LLVM 10.0.0)',
    'llvmpipe (LLVM 15.0.6, 256 bits)',
    'Microsoft Basic Render Driver',
  ])
    assert.ok(isSoftware(info(name)), name);
  for (const name of ['NVIDIA H200', 'AMD Radeon 780M', 'Apple M3', 'Intel(R) UHD Graphics'])
    assert.not.ok(isSoftware(info(name)), name);
});

test("Dawn's null backend, which computes nothing, is no adapter", async () => {
  const adapter = {
    info: info('Null backend', 'Null backend'),
    limits: {},
    features: new Set(),
  } as unknown as GPUAdapter;
  assert.instance(await rejection(Device.open(adapter)), AdapterError);
});

test('an error outside any call is thrown by the next check, once', async () => {
  const device = await openDevice();
  device.gpu.createBuffer({ size: 4, usage: 0 });
  const error = await rejection(device.idle());
  assert.instance(error, ValidationError);
  assert.match(String(error), /usage/i);
  await device.idle();
  device.dispose();
});

test('the loss of the device stays, with its reason and what to do', async () => {
  const device = await openDevice();
  device.gpu.destroy();
  await device.gpu.lost;
  await Promise.resolve();
  for (let attempt = 0; attempt < 2; attempt++) {
    assert.throws(
      () => device.check(),
      (error: Error) =>
        error instanceof DeviceLostError && error.reason === 'destroyed' && /last checkpoint/.test(error.message),
    );
  }
  assert.instance(device.failed, DeviceLostError);
});

test('work that fails with its device fails with the loss of it, also where the loss is announced later; other errors stay what they are', async () => {
  const device = await openDevice();
  const dropped = new Error('Instance dropped in popErrorScope');
  assert.is(await rejection(device.wait(Promise.reject(dropped))), dropped);
  assert.is(await device.wait(Promise.resolve(7)), 7);
  const work = device.wait(Promise.reject(dropped));
  setTimeout(() => device.gpu.destroy(), 5);
  assert.instance(await rejection(work), DeviceLostError);
  assert.instance(
    await rejection(device.wait(Promise.resolve(7))),
    DeviceLostError,
    'what a lost device gives is worth nothing',
  );
});

test('an error scope that the device did not live to answer, and work that it did not live to do, reject with its loss', async () => {
  const device = await openDevice();
  device.gpu.pushErrorScope('out-of-memory');
  const pending = [device.wait(device.gpu.popErrorScope()), device.idle()].map(rejection);
  device.gpu.destroy();
  for (const error of await Promise.all(pending)) assert.instance(error, DeviceLostError, String(error));
});

test.run();
