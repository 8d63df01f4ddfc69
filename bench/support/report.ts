import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, totalmem } from 'node:os';
import type { AdapterDescription, Device } from '../../src/gpu/device.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import type { Ceilings } from '../../src/benchmark/ceilings.ts';
import type { Work } from './kernel-bench.ts';
import type { Result } from './measure.ts';
import type { BenchClock } from './clock.ts';

export const REPORT_FORMAT = 'sketchgrad bench 1';

/** Where and with what something was measured: what a figure needs beside it to be worth anything. */
export interface Circumstances {
  readonly date: string;
  readonly command: string;
  /** The checkout's commit, with a plus sign where files differ from it. */
  readonly commit: string;
  readonly adapter: AdapterDescription;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly node: string;
  /** Of npm's webgpu, which contains Dawn. */
  readonly webgpu: string;
  /** Processes that wanted to run, over the last minute: a machine with other work measures other things. */
  readonly load: number;
}

/** What `--json` writes and `--compare` reads. */
export interface Report extends Circumstances {
  readonly format: typeof REPORT_FORMAT;
  readonly traits: AdapterTraits;
  readonly work: Work;
  readonly clock: BenchClock;
  readonly ceilings: Ceilings;
  readonly results: readonly Result[];
}

/** @param script of package.json that is running */
export function circumstances(device: Device, script: string): Circumstances {
  const args = process.argv.slice(2);
  return {
    date: new Date().toISOString(),
    command: [`npm run ${script}`, ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
    commit: commit(),
    adapter: device.description,
    processor: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    webgpu: packageVersion('webgpu'),
    load: Number(loadavg()[0].toFixed(1)),
  };
}

export function describeAdapter({ device, description, vendor }: AdapterDescription): string {
  return [device || vendor, description].filter(Boolean).join(', ');
}

/** Three lines for the head of a table. */
export function describeCircumstances({
  date,
  command,
  commit,
  adapter,
  processor,
  memoryGiB,
  node,
  webgpu,
  load,
}: Circumstances): string {
  return [
    describeAdapter(adapter),
    `${processor}, ${memoryGiB} GiB; Node ${node}, webgpu ${webgpu}; load ${load}`,
    `${date.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}: ${command}`,
  ].join('\n');
}

/** @throws Error naming the file if it is not a report of this format */
export function readReport(file: string): Report {
  let report: Partial<Report>;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Partial<Report>;
  } catch (cause) {
    throw new Error(`--compare ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (report.format !== REPORT_FORMAT)
    throw new Error(
      `--compare ${file}: not a report of this bench (format ${report.format ?? 'missing'}, expected ${REPORT_FORMAT}); write one with --json`,
    );
  return report as Report;
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty=+', '--abbrev=12'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: new URL('.', import.meta.url),
    }).trim();
  } catch {
    // A copy without git, or no git at all.
    return 'unknown';
  }
}

function packageVersion(name: string): string {
  const require = createRequire(import.meta.url);
  const entry = require.resolve(name);
  const root = entry.slice(0, entry.lastIndexOf(name) + name.length);
  return (JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string }).version;
}
