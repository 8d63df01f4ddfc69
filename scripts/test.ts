// npm test -- [part of a path ...] [-t part of a test's name] [--adapter swiftshader|lavapipe|deno]
// [--root folder with a test folder in it] [--record] Runs every suite below test/, those that need a device once for each software adapter, and those of
// DENO_SUITES in Deno as well. The longest suites start first, by the seconds in scripts/test-durations.json; --record
// measures these anew. Ends with `N passed, N failed`.
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
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
 * These start a Chromium, which has been seen to take the device and adapter from a page on a busy machine (`A valid
 * external Instance reference no longer exists`). The one cause that was found no longer occurs
 * (src/platform/node/chromium.ts); until many busy runs have shown that there is no other, such a suite gets a second try,
 * said loudly. A second failure is its failure.
 */
const IN_A_BROWSER = /^test\/(web|package)\//;
/**
 * What runs in Deno besides, on its own WebGPU (wgpu, naga), with the fastest driver there is. Not the sliced network:
 * below 128 MiB, a limit that no adapter has, the tiles that are taken where there are no subgroups are not cut; and
 * not what emulates matrix units, which is written for subgroups.
 */
const DENO_SUITES =
  /^test\/(kernels\/(?!convolution\/(matrix-units|tiles-reductions))|autodiff\/(?!sliced-network)|training\/run|gpu\/(pipelines|sequence|readback|upload))/;
/**
 * What these check is the same on every adapter: files, servers and what commands print. What they compute is checked
 * by other suites. They run on lavapipe, which is faster, or on SwiftShader where there is no lavapipe.
 */
const ON_ONE_ADAPTER =
  /^test\/(cli\/(ablate|distill|embed|evaluate|icons|index-folder|serve|serve-icons|tune|weights)|scale\/|server\/|web\/serve-icons)/;
/**
 * Tiles whose loops are written out, which no software adapter is offered. Tint translates them for SwiftShader, whose
 * compiler takes 12 s for them where lavapipe's takes 100 s with an empty cache; naga translates one of the suites for
 * Deno.
 */
const ON_SWIFTSHADER = /^test\/kernels\/convolution\/tiles-(reductions|unrolled)/;
/** How each adapter's driver names its device. */
const DEVICE_NAMES = { swiftshader: 'swiftshader', lavapipe: 'llvmpipe' } as const;
/**
 * Suites at a time. The continuous integration has two cores; a suite leaves part of its core idle, while it waits for
 * its adapter or for other processes.
 */
const AT_A_TIME = 3;
/** Assumed for a suite that scripts/test-durations.json does not have. */
const USUAL_SECONDS = 4;
/** Shorter suites are not worth a line there. */
const LEAST_RECORDED_SECONDS = 4;
const SUITE_LIMIT_MINUTES = 15;
const ENDING_LIMIT_SECONDS = 20;
const SLOWEST_SHOWN = 12;

/** Suites that can share a process, and with it a device and compiled pipelines. */
interface Group {
  readonly name: string;
  readonly device: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
  /** The program that runs a worker, with its arguments; Node where none is named. */
  readonly runtime?: { readonly execPath: string; readonly execArgv: string[] };
  readonly pending: string[];
  /** Processes that wait for their next suite. */
  readonly idle: Worker[];
}

/** What became of one suite in one group. */
interface Outcome {
  /** Path and adapter. */
  readonly title: string;
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly milliseconds: number;
  /**
   * Processor time of its own process and of commands, without browsers. Unlike the time, it depends little on what else the machine
   * does.
   */
  readonly cpuMilliseconds: number;
}

const workerFile = fileURLToPath(new URL('./test-worker.ts', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    adapter: { type: 'string' },
    name: { type: 'string', short: 't' },
    root: { type: 'string', default: fileURLToPath(new URL('..', import.meta.url)) },
    record: { type: 'boolean', default: false },
  },
});
const root = path.resolve(values.root);
const outcomes: Outcome[] = [];
/** Suites whose process crashed once. */
const crashed = new Set<string>();
/** Suites that failed once in a browser. */
const again = new Set<string>();

/** Folder of this run, for what its suites share. */
const runFolder = mkdtempSync(path.join(tmpdir(), 'sketchgrad-test-run-'));
const durationsFile = fileURLToPath(new URL('./test-durations.json', import.meta.url));
const durations = JSON.parse(readFileSync(durationsFile, 'utf8')) as Record<string, number>;

async function makeGroups(): Promise<Group[]> {
  if (values.adapter !== undefined && !ADAPTERS.includes(values.adapter as (typeof ADAPTERS)[number])) {
    throw new RangeError(`--adapter ${values.adapter}: choose one of ${ADAPTERS.join(', ')}`);
  }
  if (values.name !== undefined && values.adapter === 'deno')
    throw new RangeError('-t: tests are selected by name in Node alone; leave -t or --adapter deno out');
  const inPath = findSuites(root).filter(
    (suite) => positionals.length === 0 || positionals.some((part) => suite.includes(part)),
  );
  if (inPath.length === 0) throw new RangeError(`no suite's path contains ${positionals.join(' or ')}`);
  const suites = withName(inPath);
  const onDevice = suites.filter((suite) => needsDevice(root, suite));
  const elsewhere = suites.filter((suite) => !onDevice.includes(suite));

  const made: Group[] = [];
  const shared = {
    ...process.env,
    SKETCHGRAD_TEST_RUN: runFolder,
    ...(values.name !== undefined && { SKETCHGRAD_TEST_NAME: values.name }),
    // Suites have caches of their own for what commands find out; Mesa's compiled shaders are the same in all of them.
    MESA_SHADER_CACHE_DIR:
      process.env.MESA_SHADER_CACHE_DIR ?? process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
  };
  for (const adapter of ADAPTERS) {
    if (onDevice.length === 0 || (values.adapter ?? adapter) !== adapter) continue;
    if (adapter === 'deno' && values.name !== undefined) continue;
    if (adapter === 'lavapipe' && values.adapter === undefined && lavapipeDriver() === null) {
      console.log(`\n*** lavapipe is not installed: ${onDevice.length} suites run on SwiftShader ALONE. ***\n`);
      continue;
    }
    if (adapter === 'deno') {
      const driver = lavapipeDriver() === null ? 'swiftshader' : 'lavapipe';
      const environment = { ...shared, ...(await adapterEnvironment(driver)) };
      const runtime = { execPath: denoExecutable(), execArgv: ['run', '--allow-all', '--no-check'] };
      made.push({
        name: `deno with ${driver}`,
        device: DEVICE_NAMES[driver],
        environment,
        runtime,
        pending: onDevice.filter((suite) => DENO_SUITES.test(suite)),
        idle: [],
      });
      continue;
    }
    // SwiftShader comes with npm: where it is missing, this throws.
    const environment = { ...shared, ...(await adapterEnvironment(adapter)) };
    const alsoOnLavapipe = adapter === 'swiftshader' && values.adapter === undefined && lavapipeDriver() !== null;
    const pending = onDevice.filter((suite) => {
      if (adapter === 'lavapipe' && values.adapter === undefined && ON_SWIFTSHADER.test(suite)) return false;
      return !alsoOnLavapipe || !ON_ONE_ADAPTER.test(suite);
    });
    made.push({ name: adapter, device: DEVICE_NAMES[adapter], environment, pending, idle: [] });
  }
  made.push({ name: 'no device', device: undefined, environment: shared, pending: elsewhere, idle: [] });
  return made;
}

/** The suites that have the wanted name in their text; all of them where none has, since a name may be computed. */
function withName(suites: readonly string[]): readonly string[] {
  const { name } = values;
  if (name === undefined) return suites;
  const found = suites.filter((suite) => readFileSync(path.join(root, suite), 'utf8').includes(name));
  return found.length > 0 ? found : suites;
}

const titleOf = (group: Group, suite: string): string =>
  group.device === undefined ? suite : `${suite} on ${group.name}`;
const secondsOf = (group: Group, suite: string): number => durations[titleOf(group, suite)] ?? USUAL_SECONDS;

/** Runs the longest suite that is left, until none is. */
async function runSuites(): Promise<void> {
  for (;;) {
    const longest = groups
      .flatMap((group) => group.pending.map((suite) => ({ group, suite, seconds: secondsOf(group, suite) })))
      // Among equal ones, one that need not wait for a new process.
      .sort((a, b) => b.seconds - a.seconds || Math.sign(b.group.idle.length) - Math.sign(a.group.idle.length))[0];
    if (longest === undefined) return;
    const { group, suite } = longest;
    group.pending.splice(group.pending.indexOf(suite), 1);
    await runSuite(group, suite);
  }
}

/** A process of scripts/test-worker.ts. */
class Worker {
  private readonly group: Group;
  private readonly child: ChildProcess;
  private alive = true;
  /** How it ended. */
  readonly ended: Promise<string>;
  /** The last that it wrote as errors. */
  errorOutput = '';

  constructor(group: Group) {
    this.group = group;
    this.child = fork(workerFile, group.device === undefined ? [] : [group.device], {
      ...group.runtime,
      env: group.environment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.stderr?.on(
      'data',
      (text: Buffer) => (this.errorOutput = (this.errorOutput + text.toString()).slice(-8000)),
    );
    this.ended = new Promise<string>((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      // Not `exit`: what the process wrote last would be missing.
      this.child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    }).finally(() => (this.alive = false));
  }

  /** @returns the suite's outcome, or why there is none: then the process is killed */
  async run(
    suite: string,
    output: string[],
  ): Promise<Extract<Report, { kind: 'done' }> | { readonly cause: string; readonly crashed: boolean }> {
    const stopListening = new AbortController();
    const done = new Promise<Extract<Report, { kind: 'done' }>>((resolve) => {
      const hear = (report: Report): void => {
        if (report.kind === 'output') output.push(report.text);
        if (report.kind === 'done') resolve(report);
      };
      this.child.on('message', hear);
      stopListening.signal.addEventListener('abort', () => this.child.off('message', hear));
    });
    this.send({ run: path.join(root, suite) });
    const limit = delay(SUITE_LIMIT_MINUTES * 60_000, `it took more than ${SUITE_LIMIT_MINUTES} minutes`, {
      signal: stopListening.signal,
    }).catch(() => '');
    const outcome = await Promise.race([done, this.ended.then((cause) => `its process ended: ${cause}`), limit]);
    stopListening.abort();
    if (typeof outcome !== 'string') return outcome;
    const crashed = !this.alive && this.child.signalCode !== null;
    await this.kill();
    return { cause: outcome, crashed };
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Ends it; one that does not end by itself is a failure. */
  async end(): Promise<void> {
    this.send('end');
    await Promise.race([this.ended, delay(ENDING_LIMIT_SECONDS * 1000, undefined, { ref: false })]);
    if (!this.alive) return;
    await this.kill();
    report(
      {
        title: `a process of ${this.group.name}`,
        passed: 0,
        failed: 1,
        failures: ['  it did not end by itself: a suite left something open'],
        milliseconds: 0,
        cpuMilliseconds: 0,
      },
      [],
    );
  }

  private send(order: Order): void {
    this.child.send(order, () => undefined);
  }
}

/**
 * Runs a suite in a process that is free, or in a new one. Dawn's Node binding has been seen to abort a process that
 * had gone through a hundred suites' worth of devices; so a suite whose process is killed by a signal gets a second try
 * in a fresh process, said loudly. A second crash is its failure.
 */
async function runSuite(group: Group, suite: string, fresh = false): Promise<void> {
  const title = titleOf(group, suite);
  const start = performance.now();
  const output: string[] = [];
  const worker = (fresh ? undefined : group.idle.pop()) ?? new Worker(group);
  const outcome = await worker.run(suite, output);
  if ('cause' in outcome) {
    if (outcome.crashed && !crashed.has(title)) {
      crashed.add(title);
      console.log(
        `CRASH ${title}: ${outcome.cause}; once more in a fresh process\n${worker.errorOutput.replace(/^/gm, '     ')}`,
      );
      return runSuite(group, suite, true);
    }
    report(
      {
        title,
        passed: 0,
        failed: 1,
        failures: [`  ${outcome.cause}\n${worker.errorOutput}`],
        milliseconds: performance.now() - start,
        cpuMilliseconds: 0,
      },
      output,
    );
    return;
  }
  if (outcome.failed > 0 && IN_A_BROWSER.test(suite) && !again.has(title)) {
    again.add(title);
    console.log(
      `AGAIN ${title}: in a browser of its own once more\n${outcome.failures.join('\n').replace(/^/gm, '     ')}`,
    );
    // What a process has imported it does not run again.
    await worker.kill();
    return runSuite(group, suite, true);
  }
  report({ title, ...outcome }, output);
  group.idle.push(worker);
}

function report(outcome: Outcome, output: readonly string[]): void {
  outcomes.push(outcome);
  const { title, passed, failed, failures, milliseconds, cpuMilliseconds } = outcome;
  const count = failed === 0 ? `${passed}` : `${passed} passed, ${failed} FAILED`;
  console.log(
    `${failed === 0 ? 'ok  ' : 'FAIL'} ${title} (${count}) ${(milliseconds / 1000).toFixed(1)} s, ${(cpuMilliseconds / 1000).toFixed(1)} s of CPU`,
  );
  for (const text of [...output, ...failures]) console.log(text.replace(/^/gm, '     '));
}

function summarise(): void {
  const slowest = [...outcomes].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, SLOWEST_SHOWN);
  console.log('\nSlowest:');
  for (const { title, milliseconds, cpuMilliseconds } of slowest)
    console.log(
      `${(milliseconds / 1000).toFixed(1).padStart(7)} s ${(cpuMilliseconds / 1000).toFixed(1).padStart(7)} s of CPU  ${title}`,
    );
  if (values.record) {
    for (const { title, milliseconds } of outcomes) durations[title] = Math.round(milliseconds / 1000);
    const sorted = Object.entries(durations)
      .filter(([, seconds]) => seconds >= LEAST_RECORDED_SECONDS)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    writeFileSync(durationsFile, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  }
  const broken = outcomes.filter(({ failed }) => failed > 0);
  if (broken.length > 0) console.log(`\nFailed:\n${broken.map(({ title }) => `  ${title}`).join('\n')}`);
  if (crashed.size > 0)
    console.log(`\nTheir process crashed the first time:\n${[...crashed].map((title) => `  ${title}`).join('\n')}`);
  if (again.size > 0)
    console.log(`\nThey failed the first time:\n${[...again].map((title) => `  ${title}`).join('\n')}`);
  const sum = (key: 'passed' | 'failed' | 'cpuMilliseconds'): number =>
    outcomes.reduce((total, outcome) => total + outcome[key], 0);
  console.log(
    `\n${(performance.now() / 1000).toFixed(0)} s in all, ${(sum('cpuMilliseconds') / 1000).toFixed(0)} s of CPU\n${sum('passed')} passed, ${sum('failed')} failed`,
  );
  process.exitCode = sum('failed') > 0 ? 1 : 0;
  if (values.name === undefined || sum('passed') + sum('failed') > 0) return;
  console.log(`no test's name contains "${values.name}"`);
  process.exitCode = 1;
}

const groups = await makeGroups();
await Promise.all(Array.from({ length: AT_A_TIME }, runSuites));
for (const group of groups) await Promise.all(group.idle.map((worker) => worker.end()));
rmSync(runFolder, { recursive: true, force: true });
summarise();
