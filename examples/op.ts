// An op of one's own: exp, from its WGSL to its gradient. A tuner puts the kernel to the test before its first use.
//   npx tsx examples/op.ts
import {
  apply,
  foldGrid,
  gradient,
  input,
  multiply,
  Program,
  sliceable,
  DeviceStorage,
  sum,
  Tuner,
  use,
  type Kernel,
  type Op,
  type Tensor,
} from '../src/index.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../src/platform/adapter.ts';

const WORKGROUP_SIZE = 64;

const shader = {
  name: 'exponential.wgsl',
  source: `
    struct Parameters { count: u32 }
    @group(0) @binding(0) var<uniform> parameters: Parameters;
    @group(0) @binding(1) var<storage, read_write> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(WORKGROUP_SIZE)
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
      let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + lane;
      if (i < parameters.count) { y[i] = exp(x[i]); }
    }`,
};

const kernel: Kernel<{ readonly count: number }> = {
  name: 'exponential',
  calls: ({ count }, traits) => [
    {
      variant: 'one element an invocation',
      operands: { x: { role: 'input', type: 'f32', length: count }, y: { role: 'output', type: 'f32', length: count } },
      dispatches: [
        sliceable(count, { x: 1, y: 1 }, (elements) => ({
          shader,
          constants: { WORKGROUP_SIZE },
          parameters: [elements],
          operands: ['x', 'y'],
          workgroups: foldGrid(Math.ceil(elements / WORKGROUP_SIZE), traits.maxWorkgroupsPerDimension),
        })),
      ],
    },
  ],
  // WGSL allows exp an error of 3 + 2 |x| units in the last place.
  reference: (_, { x }) => ({
    y: { value: x.map(Math.exp), error: x.map((value) => (3 + 2 * Math.abs(value)) * 2 ** -23 * Math.exp(value)) },
  }),
  cost: ({ count }) => ({ flop: count, bytes: 8 * count }),
  cases: [{ count: 1 }, { count: 1001 }],
};

const op: Op<null> = {
  name: 'exponential',
  infer: ([x]) => [{ shape: x.shape }],
  lower: ({ inputs: [x], outputs: [y] }) => [use(kernel, { count: x.length }, { x, y })],
  gradient: ({ outputs: [y] }, [dy]) => [dy && multiply(dy, y)],
};

const exponential = (x: Tensor): Tensor => apply(op, [x], null)[0];

await ensureAdapter();
const device = await openDevice();
const x = input('x', [1000]);
const y = exponential(x);
const [dx] = gradient(sum(multiply(y, y)), [x]);
const program = await Program.compile(new DeviceStorage(device, new Tuner(device)), { outputs: { y, dx } });

const values = Float32Array.from({ length: 1000 }, (_, i) => i / 250 - 2);
const results = await program.run({ x: values });
const worst = (found: Float32Array, expected: (value: number) => number): string =>
  Math.max(...found.map((value, i) => Math.abs(value / expected(values[i]) - 1))).toExponential(1);
console.log(`exp(x): relative error ${worst(results.y, Math.exp)}`);
console.log(`d sum(exp(x)^2) / dx: relative error ${worst(results.dx, (value) => 2 * Math.exp(2 * value))}`);
device.dispose();
releaseGpu();
