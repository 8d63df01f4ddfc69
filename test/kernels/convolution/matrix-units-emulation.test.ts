// The text of convolution-matrix-units.wgsl with the native library, held against WGSL by Dawn's null backend: it has every
// feature of the language and computes nothing. That is a test of syntax, types and uniformity. What the text computes
// is shown elsewhere: by its emulation (convolution-matrix.test.ts), and natively by the suites of the convolutions on an
// adapter with matrix units.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { create, globals } from 'webgpu';
import { convolution } from '../../../kernels/convolution/forward.ts';
import { HALF, type ConvolutionProblem } from '../../../kernels/convolution/problem.ts';
import { convolutionDataGradient } from '../../../kernels/convolution/data-gradient.ts';
import { convolutionWeightGradient } from '../../../kernels/convolution/weight-gradient.ts';
import type { KernelCall } from '../../../kernels/kernel.ts';
import type { AdapterTraits, MatrixUnits } from '../../../kernels/contract/adapter-traits.ts';
import type { Dispatch } from '../../../kernels/contract/dispatch.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { composeShader } from '../../../src/gpu/compile-pipeline.ts';
import { isByMatrixUnits } from '../../support/emulated-matrix-units.ts';

Object.assign(globalThis, globals);
/** Must stay referenced as long as its device is in use: see the end. */
const instance = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
const adapter = await instance.requestAdapter();
assert.ok(adapter, 'this Dawn has no null backend');
const requiredFeatures = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'] as GPUFeatureName[];
const device = await adapter.requestDevice({ requiredFeatures });

/** What is wrong with the text of a dispatch; empty where nothing is. */
async function mistakes(dispatch: Dispatch): Promise<string> {
  device.pushErrorScope('validation');
  device.createShaderModule({ code: composeShader(dispatch) });
  return (await device.popErrorScope())?.message ?? '';
}

/** What three vendors' drivers list, as far as it sums in float32. */
const UNITS: Readonly<Record<string, MatrixUnits>> = {
  NVIDIA: {
    products: [
      { component: 'f16', rows: 16, columns: 16, depth: 16 },
      { component: 'f16', rows: 16, columns: 8, depth: 16 },
      { component: 'f16', rows: 16, columns: 8, depth: 8 },
    ],
    subgroupSizes: [32, 32],
  },
  Apple: { products: [{ component: 'f32', rows: 8, columns: 8, depth: 8 }], subgroupSizes: [32, 32] },
  Intel: { products: [{ component: 'f16', rows: 8, columns: 16, depth: 16 }], subgroupSizes: [16, 32] },
};
const traitsOf = (matrixUnits: MatrixUnits): AdapterTraits => ({
  kind: 'gpu',
  subgroupSize: 0,
  f16: true,
  matrixUnits,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 32768,
  maxWorkgroupsPerDimension: 65535,
});

const SHAPE = {
  batch: 4,
  height: 14,
  width: 14,
  inputChannels: 256,
  outputChannels: 256,
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1],
} as const;
const PROBLEMS: readonly ConvolutionProblem[] = [
  SHAPE,
  { ...SHAPE, stride: [2, 2] },
  { ...SHAPE, kernel: [1, 1], padding: [0, 0] },
  { ...SHAPE, batch: 32, height: 56, width: 56, epilogue: { residual: true, relu: true } },
];

function callsFor(traits: AdapterTraits): KernelCall[] {
  return PROBLEMS.flatMap(({ epilogue, ...shape }) =>
    (['f32', 'f16'] as const).flatMap((type) => [
      ...convolution.calls({ ...shape, epilogue, type }, traits),
      ...convolutionDataGradient.calls({ ...shape, type }, traits),
      ...convolutionWeightGradient.calls({ ...shape, type }, traits),
    ]),
  ).filter(({ dispatches }) => dispatches.some(isByMatrixUnits));
}

for (const [vendor, units] of Object.entries(UNITS)) {
  test(`every variant for the units of ${vendor} is sound WGSL`, async () => {
    const texts = new Map(
      callsFor(traitsOf(units))
        .flatMap(({ dispatches }) => dispatches)
        .map((dispatch) => [composeShader(dispatch), dispatch]),
    );
    assert.ok(texts.size >= 16, `${texts.size} texts`);
    for (const dispatch of texts.values()) assert.is(await mistakes(dispatch), '');
  });
}

test('what is wrong with a text is found, also inside the library', async () => {
  const [
    {
      dispatches: [multiply],
    },
  ] = callsFor(traitsOf(UNITS.NVIDIA));
  assert.match(
    await mistakes({ ...multiply, constants: { ...multiply.constants, Scalar: 'vec2f' } }),
    /element type must be/,
  );
  assert.match(await mistakes({ ...multiply, features: ['subgroups', 'f16'] }), /subgroup_matrix/);
  // A right factor in the place of the left one.
  const library = {
    name: 'mixed up',
    source: shaders.matrixUnits.source.replace(
      'alias Left = subgroup_matrix_left',
      'alias Left = subgroup_matrix_right',
    ),
  };
  assert.match(
    await mistakes({
      ...multiply,
      libraries: multiply.libraries?.map((each) => (each === shaders.matrixUnits ? library : each)),
    }),
    /subgroupMatrixMultiplyAccumulate/,
  );
});

test('convolutions of float32 use units of float32 alone, those of 16 bits units of 16', () => {
  const isByUnits = ({ dispatches }: KernelCall): boolean => dispatches.some(isByMatrixUnits);
  for (const kernel of [convolution, convolutionDataGradient, convolutionWeightGradient]) {
    assert.not(kernel.calls(SHAPE, traitsOf(UNITS.NVIDIA)).some(isByUnits));
    const [first] = kernel.calls(SHAPE, traitsOf(UNITS.Apple)).filter(isByUnits);
    assert.match(first.variant, /^(im2col )?matrix 8x8x8 /);
  }
  const sixteen = convolution.calls({ ...SHAPE, ...HALF }, traitsOf(UNITS.NVIDIA));
  assert.equal(
    new Set(sixteen.filter(isByUnits).map(({ variant }) => variant.split(' ')[1])),
    new Set(['16x16x16', '16x8x16', '16x8x8']),
  );
});

test('a weight gradient by units computes im2col first and gives float32', () => {
  const [{ variant, operands, dispatches }] = convolutionWeightGradient.calls(
    { ...SHAPE, ...HALF, batch: 32 },
    traitsOf(UNITS.NVIDIA),
  );
  assert.match(variant, /^im2col matrix 16x\d+x\d+ \d+x\d+x32, split-K \d+$/);
  assert.equal(
    dispatches.map(({ shader }) => shader),
    [shaders.im2col, shaders.convolutionMatrixUnits, shaders.sumPartials],
  );
  assert.equal(
    [operands.patches, operands.dw].map(({ type }) => type),
    ['f16', 'f32'],
  );
});

test('a GPU prefers its units, a processor that calculates what they do takes them last', () => {
  const offered = (kind: AdapterTraits['kind'], units: MatrixUnits, element: 'f16' | 'f32'): KernelCall[] =>
    convolution
      .calls({ ...SHAPE, type: element }, { ...traitsOf(units), kind })
      .filter(({ product }) => product !== undefined);
  for (const [units, element] of [
    [UNITS.NVIDIA, 'f16'],
    [UNITS.Intel, 'f16'],
    [UNITS.Apple, 'f32'],
  ] as const) {
    assert.match(offered('gpu', units, element)[0].variant, element === 'f16' ? /^matrix/ : /^(matrix|tiled)/);
    const last = offered('cpu', units, element);
    assert.not.match(last[0].variant, /^matrix/);
    assert.match(last[last.length - 1].variant, /^matrix/);
  }
});

test('invocations are a multiple of the largest subgroup, and within the limits', () => {
  for (const units of Object.values(UNITS)) {
    for (const { dispatches, product } of callsFor(traitsOf(units))) {
      const count = Number(dispatches.find(isByMatrixUnits)?.constants?.INVOCATIONS);
      assert.is(count % units.subgroupSizes[1], 0);
      assert.ok(count <= 256 && (product?.workgroupBytes ?? Infinity) <= 32768);
    }
  }
});

test.after(() => {
  device.destroy();
  assert.ok(instance);
});
test.run();
