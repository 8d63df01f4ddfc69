/** A benchmark's result for readers. */
import type { KernelResult, WgslBenchmarkResult } from '../../benchmark/wgsl/result.ts';
import { textTable } from '../display/text-table.ts';

/** Three significant digits, without an exponent. */
export function digits(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

const percent = (share: number): string => `${Math.round(100 * share)}%`;
const microseconds = (milliseconds: number): string => digits(1000 * milliseconds);

export function describeResult(result: WgslBenchmarkResult): string {
  const { adapter, clock, ceilings, kernels, comparisons, runtime } = result;
  const name = [adapter.device || adapter.vendor, adapter.description, runtime].filter(Boolean).join(', ');
  const step = clock.quantumNanoseconds > 0 ? `, in steps of ${clock.quantumNanoseconds} ns` : '';
  const parts = [
    `${name}\nTimes by ${clock.kind === 'device' ? `the device's timestamps${step}` : "the host's clock"}; a sample is ${kernels.map(({ repeats }) => repeats).join(', ')} dispatches in one pass.`,
  ];
  if (ceilings !== undefined)
    parts.push(
      `Ceilings: ${digits(ceilings.gigaflops)} GFLOP/s of multiply-adds, ${digits(ceilings.gigabytes)} GB/s copied, ${microseconds(ceilings.dispatch)} us for one more dispatch, ${microseconds(ceilings.submitAndWait)} us to submit and wait.`,
    );
  parts.push(kernelTable(kernels), detailLines(kernels), occupancyTable(kernels));
  if (comparisons.length > 0)
    parts.push(
      comparisons
        .map(({ baseline, candidate, ratio, low, high, confidence }) => {
          const interval =
            low === null || high === null
              ? 'no interval: fewer than five samples'
              : `${percent(confidence)} interval ${low.toFixed(3)} to ${high.toFixed(3)}`;
          const verdict =
            low === null || high === null || (low <= 1 && high >= 1)
              ? 'no difference shown'
              : ratio < 1
                ? 'faster'
                : 'slower';
          return `${candidate} takes ${ratio.toFixed(3)} times the time of ${baseline} (${interval}): ${verdict}`;
        })
        .join('\n'),
    );
  return parts.join('\n\n');
}

function kernelTable(kernels: readonly KernelResult[]): string {
  const best = Math.min(...kernels.map(({ median }) => median));
  const several = kernels.length > 1;
  return textTable(
    [
      'kernel',
      'us',
      '+-',
      'fastest',
      'samples',
      'GFLOP/s',
      'GB/s',
      'roofline',
      'bound by',
      ...(several ? ['of the fastest'] : []),
    ],
    kernels.map(({ label, median, spread, fastest, samples, gigaflops, gigabytes, rooflineShare, bound }) => [
      label,
      microseconds(median),
      microseconds(spread),
      microseconds(fastest),
      String(samples.length),
      digits(gigaflops),
      digits(gigabytes),
      rooflineShare === undefined ? '-' : percent(rooflineShare),
      bound ?? '-',
      ...(several ? [`${(median / best).toFixed(2)} x`] : []),
    ]),
  );
}

function detailLines(kernels: readonly KernelResult[]): string {
  return kernels
    .map(
      ({
        label,
        workgroups,
        workgroupSize,
        workgroupBytes,
        bytes,
        bytesAre,
        firstDispatchMilliseconds,
        compileMilliseconds,
        check,
      }) => {
        const bytesText = bytesAre === 'bound' ? `${bytes} bytes (each bound byte once)` : `${bytes} bytes (as given)`;
        return [
          label,
          `  ${workgroups.join(' x ')} workgroups of ${workgroupSize.join(' x ')}, ${workgroupBytes} bytes of workgroup memory; ${bytesText}`,
          `  compiled in ${digits(compileMilliseconds)} ms, first dispatch ${digits(firstDispatchMilliseconds)} ms`,
          ...(check === undefined
            ? []
            : check.outputs.map(({ name, wrong, elements, worst }) =>
                wrong === 0
                  ? `  ${name}: right, ${elements} elements within the tolerance`
                  : `  ${name}: WRONG in ${wrong} of ${elements} elements; ${name}[${worst.index}] is ${worst.got}, expected ${worst.expected} within ${digits(worst.allowed)}`,
              )),
        ].join('\n');
      },
    )
    .join('\n');
}

/** Estimates for the GPUs of the cost model: how full a compute unit gets, and how often all of them are filled. */
function occupancyTable(kernels: readonly KernelResult[]): string {
  const gpus = kernels[0].occupancy.map(({ gpu }) => gpu);
  return `Occupancy at most, as far as workgroups decide it (registers are not counted), and waves of workgroups\n${textTable(
    ['kernel', ...gpus],
    kernels.map(({ label, occupancy }) => [
      label,
      ...occupancy.map(
        ({ occupancy: share, limitedBy, waves }) => `${percent(share)} by ${limitedBy}, ${digits(waves)}`,
      ),
    ]),
  )}`;
}
