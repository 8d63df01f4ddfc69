import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { DeviceLostError, ShaderError } from '../../src/gpu/errors.ts';
import { composeShader } from '../../src/gpu/compile-pipeline.ts';
import { PipelineCache } from '../../src/gpu/pipelines.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { testDevice } from '../support/device.ts';

const filling = (constants: { readonly Element: string; readonly WORKGROUP_SIZE: number }): Dispatch => ({
  shader: shaders.fill,
  constants: { ...constants, Stored: constants.Element },
  parameters: [1],
  operands: ['values'],
  workgroups: [1, 1, 1],
});
const sound = filling({ Element: 'vec4f', WORKGROUP_SIZE: 64 });

async function shaderError(dispatch: Dispatch): Promise<string> {
  const cache = new PipelineCache((await testDevice()).gpu);
  const [outcome] = await Promise.allSettled([cache.get(dispatch)]);
  if (outcome.status === 'fulfilled') return assert.unreachable('it compiled') as never;
  assert.instance(outcome.reason, ShaderError);
  return (outcome.reason as Error).message;
}

test('extensions come first, then constants by their type, then the file as it is', () => {
  const source = composeShader({
    ...sound,
    features: ['subgroups'],
    constants: { Element: 'f32', WORKGROUP_SIZE: 8, RELU: true },
  });
  assert.is(
    source,
    `enable subgroups;\nalias Element = f32;\nconst WORKGROUP_SIZE: u32 = 8u;\nconst RELU = true;\n${shaders.fill.source}`,
  );
});

test('libraries stand before the shader; matrix units bring their diagnostic along, behind all extensions', () => {
  const library = { name: 'a library', source: 'const a = 1;' };
  const source = composeShader({
    ...sound,
    constants: {},
    libraries: [library],
    features: ['chromium_experimental_subgroup_matrix', 'f16'],
  });
  const head =
    'enable chromium_experimental_subgroup_matrix;\nenable f16;\ndiagnostic(off, chromium.subgroup_matrix_uniformity);\n';
  assert.is(source, `${head}const a = 1;\n${shaders.fill.source}`);
});

test('a pipeline is compiled once for equal sources, and anew for other constants', async () => {
  const cache = new PipelineCache((await testDevice()).gpu);
  assert.is(cache.get(sound), cache.get({ ...sound, parameters: [9], workgroups: [7, 1, 1] }));
  const heard: string[] = [];
  const pipelines = await cache.getAll([sound, filling({ Element: 'f32', WORKGROUP_SIZE: 64 }), sound], (done, total) =>
    heard.push(`${done}/${total}`),
  );
  assert.is(pipelines[0], pipelines[2]);
  assert.is.not(pipelines[0], pipelines[1]);
  assert.equal(heard, ['1/2', '2/2']);
});

test('an error in a shader is shown with its numbered lines', async () => {
  const message = await shaderError(filling({ Element: 'vec9f', WORKGROUP_SIZE: 64 }));
  assert.match(message, 'fill.wgsl (entry point main) does not compile');
  assert.match(message, /error at 1:\d+: [^]*vec9f/);
  assert.match(message, '>    1 | alias Element = vec9f;');
  assert.match(message, '     2 | const WORKGROUP_SIZE: u32 = 64u;');
});

test('an entry point that is not there, and a workgroup above the limit, are errors of that shader', async () => {
  assert.match(
    await shaderError({ ...sound, entryPoint: 'absent' }),
    /fill.wgsl \(entry point absent\) does not compile.\n.*absent/s,
  );
  assert.match(
    await shaderError(filling({ Element: 'f32', WORKGROUP_SIZE: 1 << 20 })),
    /fill.wgsl .* does not compile.\n.*1048576/s,
  );
});

test('a broken shader does not spoil the device: nothing is left for the next call', async () => {
  const device = await testDevice();
  await shaderError(filling({ Element: 'vec9f', WORKGROUP_SIZE: 64 }));
  await device.idle();
  assert.is(device.failed, undefined);
});

test('a device that is lost before or while pipelines compile is a DeviceLostError, not a shader that is wrong', async () => {
  const shadersOf: Readonly<Record<string, readonly Dispatch[]>> = {
    sound: [1, 2, 4, 8].map((size) => filling({ Element: 'f32', WORKGROUP_SIZE: size })),
    broken: [filling({ Element: 'vec9f', WORKGROUP_SIZE: 64 })],
  };
  for (const [kind, dispatches] of Object.entries(shadersOf)) {
    // wgpu, in Deno, compiles within the call: there is no while.
    for (const moment of 'Deno' in globalThis ? ['before'] : ['before', 'while']) {
      const device = await openDevice();
      if (moment === 'before') device.gpu.destroy();
      const compiling = device.pipelines.getAll(dispatches);
      device.gpu.destroy();
      const [outcome] = await Promise.allSettled([compiling]);
      if (outcome.status === 'fulfilled') assert.unreachable(`${kind}, ${moment}: the device was gone`);
      else assert.instance(outcome.reason, DeviceLostError, `${kind}, ${moment}: ${outcome.reason}`);
    }
  }
});

test.run();
