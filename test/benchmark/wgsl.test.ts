// What a WGSL file declares, and the values for it; without a device.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate } from '../../src/benchmark/wgsl/expression.ts';
import { readInterface, withOverrides } from '../../src/benchmark/wgsl/interface.ts';
import { bufferBytes, decode, uniformBytes } from '../../src/benchmark/wgsl/values.ts';
import { occupancies } from '../../src/benchmark/occupancy.ts';
import { GPUS } from '../../kernels/gpus.ts';

const CODE = `
enable f16;
/* override HIDDEN: u32 = 9; /* nested */ */
struct Inner { bias: vec3f, flag: u32 }
struct P { rows: u32, scale: f32, half: f16, matrix: mat3x3f, inner: Inner, list: array<vec4i, 2> }
struct Tail { head: u32, rest: array<vec2u> }
const W = 8u;
@id(7) override TILE: u32 = 16u; // TILE of a comment
override FLAG: bool;
@group(0) @binding(0) var<uniform> p: P;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b: array<vec3f>;
@group(1) @binding(0) var<storage, read_write> tail: Tail;
@group(1) @binding(1) var<storage> h: array<f16, 6>;
@group(1) @binding(2) var<storage, read_write> unused: array<u32>;
var<workgroup> tile: array<array<f32, W>, TILE * 2>;
var<workgroup> other: array<vec4<f16>, TILE * TILE>;
fn helper(i: u32) -> f32 { tile[0][i] = f32(h[0]); return a[i].x; }
@compute @workgroup_size(W, TILE) fn main(@builtin(global_invocation_id) i: vec3u) {
  b[i.x] = vec3f(helper(i.y) * p.scale);
  tail.rest[i.x] = vec2u(TILE);
}
@compute @workgroup_size(1) fn second() { other[0] = vec4<f16>(0); }
`;

test('bindings, sizes and workgroup memory of the chosen entry point, with the values of override constants', async () => {
  const found = await readInterface('k.wgsl', CODE, 'main', { TILE: 4 });
  assert.equal(found.workgroupSize, [8, 4, 1]);
  assert.is(found.workgroupBytes, 8 * 8 * 4);
  assert.equal(
    found.overrides.map(({ name, id }) => [name, id]),
    [
      ['TILE', 7],
      ['FLAG', undefined],
    ],
  );
  assert.equal(
    found.bindings.map(({ name, group, binding, usage, scalar, fixedBytes, stride }) => [
      name,
      group,
      binding,
      usage,
      scalar,
      fixedBytes,
      stride,
    ]),
    [
      ['p', 0, 0, 'uniform', undefined, 112, 0],
      ['a', 0, 1, 'read', 'f32', 0, 16],
      ['b', 0, 2, 'read_write', 'f32', 0, 16],
      ['tail', 1, 0, 'read_write', 'u32', 8, 8],
      ['h', 1, 1, 'read', 'f16', 12, 0],
    ],
  );
  assert.equal(
    found.bindings[0].fields.map(({ path, scalar, offsets }) => [path, scalar, offsets]),
    [
      ['rows', 'u32', [0]],
      ['scale', 'f32', [4]],
      ['half', 'f16', [8]],
      ['matrix', 'f32', [16, 20, 24, 32, 36, 40, 48, 52, 56]],
      ['inner.bias', 'f32', [64, 68, 72]],
      ['inner.flag', 'u32', [76]],
      ['list.0', 'i32', [80, 84, 88, 92]],
      ['list.1', 'i32', [96, 100, 104, 108]],
    ],
  );
  assert.is((await readInterface('k.wgsl', CODE, 'second', {})).workgroupBytes, 16 * 16 * 8);
  assert.match(withOverrides(CODE, { TILE: 4 }), /^const TILE: u32 = 4;/m);
});

async function refused(work: () => unknown, message: RegExp): Promise<void> {
  try {
    await work();
  } catch (error) {
    assert.match(String(error), message);
    return;
  }
  assert.unreachable(`nothing was thrown where ${message} was expected`);
}

test('errors name the file, the entry point and the flag', async () => {
  await refused(
    () => readInterface('k.wgsl', CODE, undefined, {}),
    /k\.wgsl: it has the entry points main, second; choose one with --entry/,
  );
  await refused(() => readInterface('k.wgsl', CODE, 'third', {}), /k\.wgsl: --entry third: .*main, second/);
  await refused(() => readInterface('k.wgsl', 'fn f() {}', undefined, {}), /k\.wgsl: there is no @compute entry point/);
  const textured =
    '@group(0) @binding(0) var t: texture_2d<f32>; @compute @workgroup_size(1) fn main() { _ = textureLoad(t, vec2u(0), 0); }';
  await refused(() => readInterface('k.wgsl', textured, undefined, {}), /main uses t, a texture or sampler/);
});

test('buffers are of the given size and fill, in the type of the binding', async () => {
  const { bindings } = await readInterface('k.wgsl', CODE, 'main', {});
  const [, a, b, tail, h] = bindings;
  // Without a type, elements of the array are counted; with one, numbers of it.
  assert.is(bufferBytes('k.wgsl', a, { count: 3 }).length, 48);
  assert.is(bufferBytes('k.wgsl', a, { type: 'f32', count: 8 }).length, 32);
  assert.is(bufferBytes('k.wgsl', b, { type: 'f32', components: 3, count: 5 }).length, 80);
  const random = decode('f32', bufferBytes('k.wgsl', a, { count: 20_000 }).buffer);
  assert.ok(random.every((value) => value >= -1 && value < 1));
  assert.ok(new Set(random).size > 60_000);
  assert.equal(random.slice(0, 9), random.slice(65_521, 65_530));
  assert.ok(bufferBytes('k.wgsl', b, { count: 9 }).every((byte) => byte === 0));
  const iota = { type: 'u32', count: 6, fill: { kind: 'iota' } } as const;
  assert.equal([...decode('u32', bufferBytes('k.wgsl', tail, iota).buffer)], [0, 1, 2, 3, 4, 5]);
  assert.equal(
    [...decode('f16', bufferBytes('k.wgsl', h, { count: 6, fill: { kind: 'constant', value: 1.5 } }).buffer)],
    [1.5, 1.5, 1.5, 1.5, 1.5, 1.5],
  );
  assert.is(bufferBytes('k.wgsl', h, undefined).length, 12);
  const integers = decode(
    'u32',
    bufferBytes('k.wgsl', tail, { type: 'u32', count: 100, fill: { kind: 'random', seed: 1, low: 3, high: 5 } }).buffer,
  );
  assert.equal([...new Set(integers)].sort(), [3, 4]);
  await refused(
    () => bufferBytes('k.wgsl', a, undefined),
    /k\.wgsl: binding a \(array<vec4.*has no size: give it one with --buffer a:f32\[COUNT\]/,
  );
  await refused(
    () => bufferBytes('k.wgsl', a, { type: 'u32', count: 8 }),
    /binding a .* holds f32, and --buffer a gives u32/,
  );
  await refused(
    () => bufferBytes('k.wgsl', tail, { bytes: new Uint8Array(8) }),
    /binding tail \(Tail\) needs at least 16 bytes, and --buffer tail gives 8/,
  );
});

test('uniform values are laid out as WGSL does it, by names or in order', async () => {
  const [p] = (await readInterface('k.wgsl', CODE, 'main', {})).bindings;
  const matrix = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const byName = uniformBytes('k.wgsl', p, {
    rows: 5,
    scale: 0.5,
    half: 1.5,
    matrix,
    'inner.bias': [10, 11, 12],
    'inner.flag': 13,
    'list.0': [-1, 2, 3, 4],
    'list.1': [5, 6, 7, 8],
  });
  const inOrder = uniformBytes('k.wgsl', p, [5, 0.5, 1.5, ...matrix, 10, 11, 12, 13, -1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(byName, inOrder);
  const view = new DataView(byName.buffer);
  assert.is(byName.length, 112);
  assert.equal([view.getUint32(0, true), view.getFloat32(4, true), view.getUint16(8, true)], [5, 0.5, 0x3e00]);
  assert.equal(
    [view.getFloat32(32, true), view.getFloat32(72, true), view.getUint32(76, true), view.getInt32(80, true)],
    [4, 12, 13, -1],
  );
  await refused(
    () => uniformBytes('k.wgsl', p, undefined),
    /uniform p \(P\) has no values: give them with --uniform p=VALUE/,
  );
  await refused(() => uniformBytes('k.wgsl', p, { rovs: 5 }), /has no member rovs; it has rows, scale/);
  await refused(() => uniformBytes('k.wgsl', p, [1, 2]), /takes 24 numbers \(rows, scale, .*\), and 2 are given/);
});

test('numbers of workgroups are products and quotients, rounded up', async () => {
  assert.is(evaluate('2*1024*3', {}, ''), 6144);
  assert.is(evaluate('1000/TILE', { TILE: 16 }, ''), 63);
  assert.is(evaluate('1024/TILE/4', { TILE: 8 }, ''), 32);
  assert.is(evaluate('2e9', {}, ''), 2e9);
  await refused(() => evaluate('10-3', {}, 'k.wgsl: --workgroups'), /k\.wgsl: --workgroups: 10-3 is no number/);
  await refused(() => evaluate('10/SIZE', {}, '--workgroups'), /no value for SIZE; give it with --override SIZE=VALUE/);
  await refused(() => evaluate(0, {}, '--workgroups'), /a number above 0 is needed/);
});

test('occupancy is limited by workgroup memory, invocations or workgroups, as the data sheets say', () => {
  const [gpu] = GPUS;
  const of = (invocations: number, workgroupBytes: number): unknown => {
    const [{ residentWorkgroups, occupancy, limitedBy, waves }] = occupancies({ invocations, workgroupBytes }, 1320, [
      gpu,
    ]);
    return [residentWorkgroups, occupancy, limitedBy, Number(waves.toFixed(3))];
  };
  // The H200: 132 compute units of 2048 invocations, 32 workgroups and 228 KiB.
  assert.equal(of(256, 0), [8, 1, 'invocations', 1.25]);
  assert.equal(of(32, 0), [32, 0.5, 'workgroups', 0.313]);
  assert.equal(of(256, 65_536), [3, 0.375, 'workgroup memory', 3.333]);
});

test.run();
