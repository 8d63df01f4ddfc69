// npm test -- [part of a path ...] [--adapter swiftshader|lavapipe|deno] [--root folder with a test folder in it]
// Runs every suite below test/, those that need a device once for each software adapter, and those of DENO_SUITES in Deno
// as well. Ends with `N passed, N failed`.
import { fork } from 'node:child_process';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { adapterEnvironment, lavapipeDriver } from '../src/platform/adapter.ts';
import { denoExecutable } from './deno.ts';
import { findSuites, needsDevice } from './test-suites.ts';
import type { Order, Report } from './test-worker.ts';

const ADAPTERS = ['swiftshader', 'lavapipe', 'deno'] as const;
/**
 * These start a Chromium, which has been seen to take the device and adapter from a page on a busy machine (`A valid external Instance
 * reference no longer exists`). The one cause that was found no longer occurs (test/support/chromium.ts); until many busy runs have shown that there is no
 * other, such a suite gets a second try, said loudly. A second failure is its failure.
 */
const IN_A_BROWSER = /^test\/(web|package)\//;
/**
 * What runs in Deno besides, on its own WebGPU (wgpu, naga), with the fastest driver there is. Not the sliced network: below
 * 128 MiB, a limit that no adapter has, the tiles that are taken where there are no subgroups are not cut; and not what emulates matrix units, which is written for subgroups.
 */
const DENO_SUITES = /^test\/(kernels\/(?!convolution-matrix|matrix_units)|autodiff\/(?!sliced-network)|training\/run|gpu\/(pipelines|sequence|readback|upload))/;
/** How each adapter's driver names its device. */
const DEVICE_NAMES = { swiftshader: 'swiftshader', lavapipe: 'llvmpipe' } as const;
/** The continuous integration has two cores, and a software adapter can fill both. */
const PROCESSES = 2;
const SUITE_LIMIT_MINUTES = 15;
const ENDING_LIMIT_SECONDS = 20;
const SLOWEST_SHOWN = 12;

/** Suites that share processes, and with them devices and compiled pipelines. */
interface Group {
  readonly name: string;
  readonly device: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
  /** The program that runs a worker, with its arguments; Node where none is named. */
  readonly runtime?: { readonly execPath: string; readonly execArgv: string[] };
  readonly pending: string[];
}

/** What became of one suite in one group. */
interface Outcome {
  /** Path and adapter. */
  readonly title: string;
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly milliseconds: number;
}

const worker = fileURLToPath(new URL('./test-worker.ts', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { adapter: { type: 'string' }, root: { type: 'string', default: fileURLToPath(new URL('..', import.meta.url)) } },
});
const root = path.resolve(values.root);
const outcomes: Outcome[] = [];
/** Suites whose process crashed once. */
const crashed = new Set<string>();
/** Suites that failed once in a browser. */
const again = new Set<string>();

const groups = await makeGroups();
const begun = new Set<Group>();
await Promise.all(Array.from({ length: PROCESSES }, serveGroups));
summarise();

async function makeGroups(): Promise<Group[]> {
  if (values.adapter !== undefined && !ADAPTERS.includes(values.adapter as (typeof ADAPTERS)[number])) {
    throw new RangeError(`--adapter ${values.adapter}: choose one of ${ADAPTERS.join(', ')}`);
  }
  const suites = findSuites(root).filter((suite) => positionals.length === 0 || positionals.some((part) => suite.includes(part)));
  if (suites.length === 0) throw new RangeError(`no suite's path contains ${positionals.join(' or ')}`);
  const onDevice = suites.filter((suite) => needsDevice(root, suite));
  const elsewhere = suites.filter((suite) => !onDevice.includes(suite));

  const made: Group[] = [];
  for (const adapter of ADAPTERS) {
    if (onDevice.length === 0 || (values.adapter ?? adapter) !== adapter) continue;
    if (adapter === 'lavapipe' && values.adapter === undefined && lavapipeDriver() === null) {
      console.log(`\n*** lavapipe is not installed: ${onDevice.length} suites run on SwiftShader ALONE. ***\n`);
      continue;
    }
    if (adapter === 'deno') {
      const driver = lavapipeDriver() === null ? 'swiftshader' : 'lavapipe';
      const environment = { ...process.env, ...(await adapterEnvironment(driver)) };
      const runtime = { execPath: denoExecutable(), execArgv: ['run', '--allow-all', '--no-check'] };
      made.push({ name: `deno with ${driver}`, device: DEVICE_NAMES[driver], environment, runtime, pending: onDevice.filter((suite) => DENO_SUITES.test(suite)) });
      continue;
    }
    // SwiftShader comes with npm: where it is missing, this throws.
    const environment = { ...process.env, ...(await adapterEnvironment(adapter)) };
    made.push({ name: adapter, device: DEVICE_NAMES[adapter], environment, pending: [...onDevice] });
  }
  made.push({ name: 'no device', device: undefined, environment: process.env, pending: elsewhere });
  return made;
}

/** Takes the first group that has no process yet, or else helps with the one that has most left, until all are done. */
async function serveGroups(): Promise<void> {
  for (;;) {
    const left = groups.filter(({ pending }) => pending.length > 0).sort((a, b) => b.pending.length - a.pending.length);
    const group = left.find((candidate) => !begun.has(candidate)) ?? left[0];
    if (group === undefined) return;
    begun.add(group);
    await serve(group);
  }
}

/**
 * Runs suites of a group in one process, until none is left or the process crashes. Dawn's Node binding has been seen to
 * abort a process that had gone through a hundred suites' worth of devices; so a suite whose process is killed by a signal
 * gets a second try at the beginning of a fresh process, said loudly. A second crash is its failure.
 */
async function serve(group: Group): Promise<void> {
  const { device, name, environment, runtime, pending } = group;
  const child = fork(worker, device === undefined ? [] : [device], { ...runtime, env: environment, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let errorOutput = '';
  child.stderr?.on('data', (text: Buffer) => (errorOutput = (errorOutput + text.toString()).slice(-8000)));
  let alive = true;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    // Not `exit`: what the process wrote last would be missing.
    child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  }).finally(() => (alive = false));
  const order = (message: Order): void => void child.send(message, () => undefined);

  for (let suite = pending.shift(); suite !== undefined; suite = pending.shift()) {
    const title = device === undefined ? suite : `${suite} on ${name}`;
    const start = performance.now();
    const output: string[] = [];
    const stopListening = new AbortController();
    const done = new Promise<Extract<Report, { kind: 'done' }>>((resolve) => {
      const hear = (report: Report): void => {
        if (report.kind === 'output') output.push(report.text);
        if (report.kind === 'done') resolve(report);
      };
      child.on('message', hear);
      stopListening.signal.addEventListener('abort', () => child.off('message', hear));
    });
    order({ run: path.join(root, suite) });
    const limit = delay(SUITE_LIMIT_MINUTES * 60_000, `it took more than ${SUITE_LIMIT_MINUTES} minutes`, { signal: stopListening.signal }).catch(() => '');
    const outcome = await Promise.race([done, ended.then((cause) => `its process ended: ${cause}`), limit]);
    stopListening.abort();
    if (typeof outcome === 'string') {
      const aborted = !alive && child.signalCode !== null;
      child.kill('SIGKILL');
      if (aborted && !crashed.has(title)) {
        crashed.add(title);
        console.log(`CRASH ${title}: ${outcome}; once more in a fresh process\n${errorOutput.replace(/^/gm, '     ')}`);
        pending.unshift(suite);
        await ended;
        return serve(group);
      }
      report({ title, passed: 0, failed: 1, failures: [`  ${outcome}\n${errorOutput}`], milliseconds: performance.now() - start }, output);
      await ended;
      return;
    }
    if (outcome.failed > 0 && IN_A_BROWSER.test(suite) && !again.has(title)) {
      again.add(title);
      console.log(`AGAIN ${title}: in a browser of its own once more\n${outcome.failures.join('\n').replace(/^/gm, '     ')}`);
      // What a process has imported it does not run again.
      pending.unshift(suite);
      child.kill('SIGKILL');
      await ended;
      return serve(group);
    }
    report({ title, ...outcome }, output);
  }

  order('end');
  await Promise.race([ended, delay(ENDING_LIMIT_SECONDS * 1000, undefined, { ref: false })]);
  if (alive) {
    child.kill('SIGKILL');
    report({ title: `the process of ${name}`, passed: 0, failed: 1, failures: ['  it did not end by itself: a suite left something open'], milliseconds: 0 }, []);
  }
}

function report(outcome: Outcome, output: readonly string[]): void {
  outcomes.push(outcome);
  const { title, passed, failed, failures, milliseconds } = outcome;
  const count = failed === 0 ? `${passed}` : `${passed} passed, ${failed} FAILED`;
  console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} ${title} (${count}) ${(milliseconds / 1000).toFixed(1)} s`);
  for (const text of [...output, ...failures]) console.log(text.replace(/^/gm, '     '));
}

function summarise(): void {
  const slowest = [...outcomes].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, SLOWEST_SHOWN);
  console.log('\nSlowest:');
  for (const { title, milliseconds } of slowest) console.log(`${(milliseconds / 1000).toFixed(1).padStart(7)} s  ${title}`);
  const broken = outcomes.filter(({ failed }) => failed > 0);
  if (broken.length > 0) console.log(`\nFailed:\n${broken.map(({ title }) => `  ${title}`).join('\n')}`);
  if (crashed.size > 0) console.log(`\nTheir process crashed the first time:\n${[...crashed].map((title) => `  ${title}`).join('\n')}`);
  if (again.size > 0) console.log(`\nThey failed the first time:\n${[...again].map((title) => `  ${title}`).join('\n')}`);
  const sum = (key: 'passed' | 'failed'): number => outcomes.reduce((total, outcome) => total + outcome[key], 0);
  console.log(`\n${(performance.now() / 1000).toFixed(0)} s in all\n${sum('passed')} passed, ${sum('failed')} failed`);
  process.exitCode = sum('failed') > 0 ? 1 : 0;
}
