import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Kernel } from '../../kernels/kernel.ts';
import { adam } from '../../kernels/adam.ts';
import { batchNorm } from '../../kernels/batch_norm.ts';
import { convolution } from '../../kernels/convolution.ts';
import { convolutionDataGradient } from '../../kernels/convolution_data_gradient.ts';
import { convolutionWeightGradient } from '../../kernels/convolution_weight_gradient.ts';
import { quadrupletLoss } from '../../kernels/quadruplet_loss.ts';
import { softmaxCrossEntropy } from '../../kernels/softmax_cross_entropy.ts';
import type { Device } from '../gpu/device.ts';
import { runKernel } from '../gpu/run-kernel.ts';
import { ensureAdapter, lavapipeDriver, openDevice, swiftShaderEnvironment } from '../platform/node/adapter.ts';
import { RandomStream } from '../random/philox.ts';
import { defineCommand, SHARED_OPTIONS } from './command.ts';
import { textTable } from './text-table.ts';

/** Found to compute wrongly: the message says what, and what to try. */
export class DoctorError extends Error {
  override readonly name = 'DoctorError';
}

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'Show the adapter and its limits, and check that it computes rightly',
  options: SHARED_OPTIONS,
  async run({ adapter }) {
    print('Versions', versions());
    print('Adapters', availableAdapters());
    await ensureAdapter(adapter);
    const device = await openDevice(adapter);
    try {
      print('Adapter in use', describeAdapter(device));
      print('Limits', LIMITS.map((name) => [name, String(device.gpu.limits[name])]));
      print('Features', [['in use', [...device.gpu.features].sort().join(', ') || 'none']]);
      const checks = await checkKernels(device);
      process.stdout.write(`\nKernels against their float64 references, results read back\n${textTable(['kernel', 'variant', 'largest error', ''], checks.map(checkLine), { left: 2 })}\n\n`);
      const wrong = checks.filter(({ worst }) => !(worst <= 1));
      if (wrong.length > 0) {
        throw new DoctorError(`${device.description.device} computes wrongly in ${wrong.map(({ variant }) => variant).join(', ')}. Update its driver, or choose another adapter (--adapter lavapipe or swiftshader)`);
      }
      process.stdout.write(`All is well: ${checks.length} kernel variants are within the error bounds of float32.\n`);
    } finally {
      device.destroy();
    }
  },
});

type Line = readonly [name: string, value: string];

interface KernelCheck {
  readonly kernel: string;
  readonly variant: string;
  /** The largest deviation from the reference, in units of its bound; NaN where a value is not a number. */
  readonly worst: number;
}

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

function print(title: string, lines: readonly Line[]): void {
  const width = Math.max(...lines.map(([name]) => name.length));
  process.stdout.write(`\n${title}\n${lines.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}\n`);
}

function versions(): Line[] {
  const require = createRequire(import.meta.url);
  const versionIn = (path: string): string => (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  return [
    ['sketchgrad', versionIn(require.resolve('../../package.json'))],
    ['node', process.version],
    ['webgpu (Dawn)', versionIn(require.resolve('webgpu/package.json'))],
    ['system', `${process.platform} ${process.arch}`],
  ];
}

/** What --adapter can choose here. That of a hardware GPU shows only when it is opened. */
function availableAdapters(): Line[] {
  const lavapipe = lavapipeDriver();
  let swiftShader: string;
  try {
    swiftShader = swiftShaderEnvironment().VK_DRIVER_FILES;
  } catch {
    swiftShader = 'not installed: npm install --include=dev @sparticuz/chromium';
  }
  return [
    ['lavapipe', lavapipe ?? 'not installed: the package mesa-vulkan-drivers has it'],
    ['swiftshader', swiftShader],
  ];
}

function describeAdapter({ description, traits }: Device): Line[] {
  const info = { vendor: description.vendor, architecture: description.architecture, device: description.device, driver: description.description };
  return [
    ...Object.entries(info).filter(([, value]) => value !== ''),
    ['computes on', traits.kind === 'cpu' ? 'the CPU, in software' : 'a GPU'],
    ['subgroups of', traits.subgroupSize === 0 ? 'unknown size' : String(traits.subgroupSize)],
    ['driver file', process.env.VK_DRIVER_FILES ?? "the system's choice"],
  ] as Line[];
}

/** The kernels that a training depends on most, in every variant that the adapter is offered. */
async function checkKernels(device: Device): Promise<KernelCheck[]> {
  return [
    ...(await checkKernel(device, convolution)),
    ...(await checkKernel(device, convolutionDataGradient)),
    ...(await checkKernel(device, convolutionWeightGradient)),
    ...(await checkKernel(device, batchNorm)),
    ...(await checkKernel(device, softmaxCrossEntropy)),
    ...(await checkKernel(device, quadrupletLoss)),
    ...(await checkKernel(device, adam)),
  ];
}

async function checkKernel<Problem>(device: Device, kernel: Kernel<Problem>): Promise<KernelCheck[]> {
  const work = kernel.cases.map((problem) => kernel.cost(problem).flop);
  const problem = kernel.cases[work.indexOf(Math.max(...work))];
  const random = new RandomStream(0, 0);
  const uniform = (): number => 2 * random.uniform() - 1;
  const calls = kernel.calls(problem, device.traits);
  const given = Object.entries(calls[0].operands).filter(([, { role }]) => role === 'input' || role === 'inout');
  const inputs = kernel.sampleInputs?.(problem, uniform) ?? Object.fromEntries(given.map(([name, { length }]) => [name, Float64Array.from({ length }, uniform)]));
  const expected = kernel.reference(problem, inputs);
  const checks: KernelCheck[] = [];
  for (const call of calls) {
    const actual = await runKernel(device, call, inputs);
    let worst = 0;
    for (const [name, { value, error }] of Object.entries(expected)) {
      value.forEach((reference, index) => {
        const deviation = Math.abs(actual[name][index] - reference);
        // Not Math.max alone: NaN must stay, and 0 / 0 is exact.
        if (deviation !== 0 && !(worst >= deviation / error[index])) worst = deviation / error[index];
      });
    }
    checks.push({ kernel: kernel.name, variant: call.variant, worst });
  }
  return checks;
}

function checkLine({ kernel, variant, worst }: KernelCheck): readonly string[] {
  return [kernel, variant, worst === 0 ? 'exact' : `${worst.toFixed(3)} of its bound`, worst <= 1 ? 'right' : 'WRONG'];
}
