import type { AnyKernel } from '../../../kernels/kernel.ts';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { packageVersion } from '../../platform/node/package-files.ts';
import type { Device } from '../../gpu/device.ts';
import { pipelineKey } from '../../gpu/compile-pipeline.ts';
import { lavapipeDriver, swiftShaderEnvironment } from '../../platform/adapter.ts';
import { ALL_KERNELS } from '../../../kernels/index.ts';
import { Qualification, type Verdict } from '../../tuning/qualification.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS } from '../options/shared.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { nearest } from '../options/configuration.ts';
import { text } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { printText, Progress } from '../display/progress.ts';
import { textTable } from '../display/text-table.ts';

/** Found to compute wrongly: the message says what, and what to try. */
export class DoctorError extends Error {
  override readonly name = 'DoctorError';
}

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'Show the adapter and its limits, and check that it computes correctly',
  options: {
    kernels: text({
      placeholder: 'names',
      help: 'Check only these kernels, by name, separated by commas. Default: all',
    }),
    ...SHARED_OPTIONS,
  },
  async run({ adapter, kernels: names }) {
    const kernels = names === undefined ? ALL_KERNELS : namedKernels(names);
    print('Versions', versions());
    print('Adapters', availableAdapters());
    const device = await openCommandDevice(adapter);
    try {
      print('Adapter in use', describeAdapter(device));
      print(
        'Limits',
        LIMITS.map((name) => [name, String(device.gpu.limits[name])]),
      );
      print('Features', [['in use', [...device.gpu.features].sort().join(', ') || 'none']]);
      const checks = await checkKernels(device, kernels);
      printText(
        `\nKernels against their float64 references, results read back\n${textTable(['kernel', 'variant', 'largest error', ''], checks.map(checkLine), { left: 2 })}\n\n`,
      );
      const wrong = checks.flatMap(({ kernel, variant, verdict }) =>
        verdict.standing === 'wrong' ? [`${kernel}, ${variant}: ${verdict.reason}`] : [],
      );
      if (wrong.length > 0) {
        throw new DoctorError(
          `${device.description.device} computes wrongly. Update its driver, or choose another adapter (--adapter lavapipe or swiftshader).\n  ${wrong.join('\n  ')}`,
        );
      }
      printText(`All is well: ${checks.length} kernel variants are within the error bounds of float32.\n`);
    } finally {
      closeCommandDevice(device);
    }
  },
});

/** @throws OptionError for a name that no kernel has */
function namedKernels(names: string): AnyKernel[] {
  return names.split(',').map((word) => {
    const kernel = (ALL_KERNELS as readonly AnyKernel[]).find(({ name }) => name === word.trim());
    if (kernel === undefined)
      throw new OptionError(
        `--kernels ${word.trim()}: there is no such kernel; did you mean ${nearest(
          word.trim(),
          ALL_KERNELS.map(({ name }) => name),
        )}?`,
      );
    return kernel;
  });
}

type Line = readonly [name: string, value: string];

interface KernelCheck {
  readonly kernel: string;
  readonly variant: string;
  readonly verdict: Verdict;
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
  printText(`\n${title}\n${lines.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}\n`);
}

function versions(): Line[] {
  const { deno } = process.versions;
  const dawn = (): string =>
    (
      JSON.parse(readFileSync(createRequire(import.meta.url).resolve('webgpu/package.json'), 'utf8')) as {
        version: string;
      }
    ).version;
  return [
    ['sketchgrad', packageVersion()],
    ...(deno === undefined
      ? ([
          ['node', process.version],
          ['webgpu (Dawn)', dawn()],
        ] as const)
      : ([['deno (wgpu)', deno]] as const)),
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
  const info = {
    vendor: description.vendor,
    architecture: description.architecture,
    device: description.device,
    driver: description.description,
  };
  return [
    ...Object.entries(info).filter(([, value]) => value !== ''),
    ['computes on', traits.kind === 'cpu' ? 'the CPU, in software' : 'a GPU'],
    ['subgroups of', traits.subgroupSize === 0 ? 'unknown size' : String(traits.subgroupSize)],
    [
      'matrix units',
      traits.matrixUnits?.products
        .map(({ component, rows, columns, depth }) => `${rows}x${columns}x${depth} of ${component}`)
        .join(', ') ?? 'none that sum in float32',
    ],
    ['driver file', process.env.VK_DRIVER_FILES ?? "the system's choice"],
  ] as Line[];
}

/** Kernels in every variant that the adapter is offered for its cases, anew, whatever earlier runs found. */
async function checkKernels(device: Device, kernels: readonly AnyKernel[]): Promise<KernelCheck[]> {
  const qualification = new Qualification(device);
  const progress = new Progress('verifying');
  const checks: KernelCheck[] = [];
  for (const [done, kernel] of kernels.entries()) {
    const seen = new Set<string>();
    for (const problem of kernel.cases) {
      const calls = kernel.calls(problem as never, device.traits);
      for (const call of calls) {
        const code = call.dispatches.map(pipelineKey).join();
        if (seen.has(code)) continue;
        seen.add(code);
        checks.push({
          kernel: kernel.name,
          variant: call.variant,
          verdict: await qualification.verdict({ kernel, problem, calls, uses: 1 }, call),
        });
      }
    }
    qualification.forgetReferences();
    progress.update(done + 1, kernels.length, kernel.name);
  }
  progress.stop();
  return checks;
}

function checkLine({ kernel, variant, verdict }: KernelCheck): readonly string[] {
  if (verdict.standing !== 'right') return [kernel, variant, '', 'WRONG'];
  return [kernel, variant, verdict.worst === 0 ? 'exact' : `${verdict.worst?.toFixed(3)} of its bound`, 'right'];
}
