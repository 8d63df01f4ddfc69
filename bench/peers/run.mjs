/**
 * Measures ResNet50 on several engines in one alternating run, those on WebGPU on the same adapter.
 *
 *   npm ci --prefix bench/peers
 *   npx tsx bench/peers/run.mjs --work train --batch 16 --size 64 --rounds 5 --adapter lavapipe
 *
 * Every engine is one process that stays alive to the end; while one is measured the others are idle. Rounds go
 * A B C A B C, so that what slows the machine for a while slows all of them. The engines' answers are compared: an
 * engine that computes something else is not a competitor but a bug.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ADAPTER_CHOICES, adapterEnvironment } from '../../src/platform/adapter.ts';

const HERE = import.meta.dirname;
const REPOSITORY = join(HERE, '..', '..');

/** What other engines are compared with. */
const OURS = 'sketchgrad';

/**
 * How each engine's worker is started from the repository root, and the package that carries its version. `trains` is
 * false where an engine only infers; `processor` where it does not use the adapter that is compared, but the CPU
 * itself.
 */
const ENGINES = {
  // tsx as a loader, not as a command: the worker then is one process, whose memory can be read.
  [OURS]: { command: ['--import', 'tsx', 'bench/peers/sketchgrad.ts'], manifest: 'package.json' },
  tfjs: {
    command: ['bench/peers/tfjs.mjs'],
    manifest: 'bench/peers/node_modules/@tensorflow/tfjs/package.json',
  },
  'jax-js': {
    command: ['bench/peers/jax-js.mjs'],
    manifest: 'bench/peers/node_modules/@jax-js/jax/package.json',
  },
  'ort-web webgpu': {
    command: ['bench/peers/onnxruntime-web-webgpu.mjs'],
    manifest: 'bench/peers/node_modules/onnxruntime-web/package.json',
    trains: false,
  },
  'litert webgpu': {
    command: ['bench/peers/litert.mjs'],
    manifest: 'bench/peers/node_modules/@litertjs/core/package.json',
    trains: false,
  },
  'ort-web wasm': {
    command: ['bench/peers/onnxruntime-web-wasm.mjs'],
    manifest: 'bench/peers/node_modules/onnxruntime-web/package.json',
    trains: false,
    processor: true,
  },
  'ort-node': {
    command: ['bench/peers/onnxruntime-node.mjs'],
    manifest: 'bench/peers/node_modules/onnxruntime-node/package.json',
    trains: false,
    processor: true,
  },
};

/** Largest relative difference of two engines' numbers that rounding explains (float32, sums in different orders). */
const TOLERANCE = {
  logits: 1e-4,
  loss: 1e-3,
  // The first step moves far (the loss falls by a third) and its gradients are ill-conditioned: reordering one sum in
  // one engine moved this loss by 1.2 %. A wrong gradient moves it by far more.
  secondLoss: 5e-2,
};

/** An engine's process and the conversation with it. */
class Worker {
  #child;
  #replies;
  #diagnostics = '';

  constructor(command, environment) {
    this.#child = spawn(process.execPath, command, { cwd: REPOSITORY, env: { ...process.env, ...environment } });
    this.#child.stderr.on('data', (data) => {
      this.#diagnostics = `${this.#diagnostics}${data}`.slice(-2000);
    });
    // A worker that dies says so through the end of its output; writing to it must not end this process as well.
    this.#child.stdin.on('error', () => {});
    this.#replies = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next JSON line; other output, such as an engine's greeting, is passed over. */
  async reply() {
    for (;;) {
      const { value, done } = await this.#replies.next();
      if (done) throw new Error(`the worker ended early\n${this.#diagnostics}`);
      if (value.startsWith('{')) return JSON.parse(value);
    }
  }

  measure() {
    this.#child.stdin.write('go\n');
    return this.reply();
  }

  /** Peak resident memory in bytes so far; undefined where there is no /proc. */
  peakMemory() {
    const status = `/proc/${this.#child.pid}/status`;
    if (!existsSync(status)) return undefined;
    const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(status, 'utf8')) ?? [];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  }

  stop() {
    this.#child.stdin.end();
    this.#child.kill();
  }
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      work: { type: 'string', default: 'train' },
      batch: { type: 'string', default: '16' },
      size: { type: 'string', default: '64' },
      rounds: { type: 'string', default: '5' },
      adapter: { type: 'string', default: 'auto' },
      only: { type: 'string' },
      cold: { type: 'boolean', default: false },
      'lend-nap': { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const { work } = values;
  const positive = (name) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a positive integer`);
    return value;
  };
  if (work !== 'train' && work !== 'infer') throw new Error('--work must be train or infer');
  if (!ADAPTER_CHOICES.includes(values.adapter))
    throw new Error(`--adapter must be one of ${ADAPTER_CHOICES.join(', ')}`);
  const able = Object.keys(ENGINES).filter((name) => work === 'infer' || ENGINES[name].trains !== false);
  const names = values.only?.split(',') ?? able;
  for (const name of names) {
    if (!(name in ENGINES)) throw new Error(`--only ${name}: there are ${Object.keys(ENGINES).join(', ')}`);
    if (!able.includes(name)) throw new Error(`--only ${name}: it does not train`);
  }
  return {
    ...values,
    names,
    work,
    batch: positive('batch'),
    size: positive('size'),
    rounds: positive('rounds'),
  };
}

async function main() {
  const options = readOptions();
  const environment = {
    ...(await adapterEnvironment(options.adapter)),
    // Mesa keeps compiled shaders on disk; without that cache the first step shows what a new user waits for.
    ...(options.cold && { MESA_SHADER_CACHE_DISABLE: '1' }),
    ...(options['lend-nap'] && { PEERS_NAP: '1' }),
  };
  const engines = [];
  try {
    for (const name of options.names) engines.push(await start(name, options, environment));
    const running = engines.filter(({ failure }) => failure === undefined);
    for (let round = 1; round <= options.rounds; round++) {
      for (const engine of running) {
        if (engine.failure === undefined) await attempt(engine, () => measureOnce(engine, round));
      }
    }
    for (const engine of running) engine.peakMemory = engine.worker.peakMemory();
  } finally {
    for (const { worker } of engines) worker.stop();
  }

  const disagreements = compare(engines.filter(({ failure }) => failure === undefined));
  const report = summarise(engines, options, disagreements);
  print(report);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (disagreements.length > 0 || engines.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
}

async function start(name, { work, batch, size, 'lend-nap': lendNap }, environment) {
  const { manifest } = ENGINES[name];
  // What is lent is TypeScript.
  const command = lendNap && name !== OURS ? ['--import', 'tsx', ...ENGINES[name].command] : ENGINES[name].command;
  const options = ['--work', work, '--batch', String(batch), '--size', String(size)];
  process.stderr.write(`${name}: starting and warming up\n`);
  const engine = { name, worker: new Worker([...command, ...options], environment), seconds: [], losses: [] };
  await attempt(engine, async () => {
    const { first, adapter, answer } = await engine.worker.reply();
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, manifest), 'utf8'));
    Object.assign(engine, { first, adapter, answer, version });
    process.stderr.write(`${name}: first ${first.toFixed(2)} s\n`);
  });
  return engine;
}

async function measureOnce(engine, round) {
  const { seconds, loss } = await engine.worker.measure();
  engine.seconds.push(seconds);
  if (loss !== undefined) engine.losses.push(loss);
  process.stderr.write(`${engine.name}: round ${round} ${seconds.toFixed(3)} s\n`);
}

/** One engine's failure is recorded and must not cost the measurements of the others. */
async function attempt(engine, action) {
  try {
    await action();
  } catch (error) {
    engine.failure = error.message;
    process.stderr.write(`${engine.name}: ${error.message}\n`);
  }
}

/** @returns {string[]} a sentence for each engine that did other work, or on another adapter, than the first one */
function compare([reference, ...others]) {
  const disagreements = [];
  const check = (other, what, found, expected, tolerance) => {
    const scale = Math.max(...expected.map(Math.abs));
    // JSON has no NaN: what is no number is not close to any.
    const differences = expected.map((value, index) =>
      typeof found[index] === 'number' ? Math.abs(value - found[index]) / scale : Infinity,
    );
    const worst = differences.indexOf(Math.max(...differences));
    if (what !== 'loss after one step') other.difference = differences[worst];
    if (found.length !== expected.length || differences[worst] > tolerance) {
      disagreements.push(
        `${other.name}: ${what} has ${found.length} numbers, number ${worst} is ${found[worst]}; ` +
          `${reference.name} has ${expected.length}, and ${expected[worst]} there`,
      );
    }
  };
  for (const other of others) {
    if (other.adapter !== reference.adapter && ENGINES[other.name].processor !== true) {
      disagreements.push(`${other.name} ran on ${other.adapter}, but ${reference.name} on ${reference.adapter}`);
    }
    const [what] = Object.keys(reference.answer);
    check(other, what, [other.answer[what]].flat(), [reference.answer[what]].flat(), TOLERANCE[what]);
    if (reference.losses.length > 0) {
      check(other, 'loss after one step', [other.losses[0]], [reference.losses[0]], TOLERANCE.secondLoss);
    }
  }
  return disagreements;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function summarise(engines, { work, batch, size, rounds, cold, 'lend-nap': lendNap }, disagreements) {
  const ours = engines.find(({ name, failure }) => name === OURS && failure === undefined);
  return {
    date: new Date().toISOString(),
    work,
    batch,
    size,
    rounds,
    cold,
    lendNap,
    adapter: engines.find(({ adapter }) => adapter !== undefined)?.adapter,
    processor: `${cpus().length} x ${cpus()[0].model}`,
    node: process.version,
    engines: engines.map(({ name, version, adapter, first, seconds, losses, difference, peakMemory, failure }) => ({
      name,
      version,
      adapter,
      failure,
      first,
      seconds,
      losses,
      difference,
      peakMemory,
      ...(failure === undefined && {
        median: median(seconds),
        min: Math.min(...seconds),
        max: Math.max(...seconds),
        timesOurs: ours && median(seconds) / median(ours.seconds),
      }),
    })),
    disagreements,
  };
}

function print({ date, work, batch, size, rounds, cold, lendNap, adapter, processor, node, engines, disagreements }) {
  const fixed = (value, digits) => (value === undefined ? '-' : value.toFixed(digits));
  const rows = engines.map((engine) =>
    engine.failure !== undefined
      ? [engine.name, engine.version ?? '-', 'failed', '-', '-', '-', '-', '-']
      : [
          engine.name,
          engine.version,
          fixed(engine.first, 2),
          fixed(engine.median, 3),
          `${fixed(engine.min, 3)}-${fixed(engine.max, 3)}`,
          fixed(engine.timesOurs, 2),
          engine.difference === undefined ? '-' : engine.difference.toExponential(0),
          engine.peakMemory === undefined ? '-' : fixed(engine.peakMemory / 2 ** 20, 0),
        ],
  );
  const table = [
    ['engine', 'version', 'first s', 'median s', 'min-max s', 'times ours', 'difference', 'peak MiB'],
    ...rows,
  ];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const unit = work === 'train' ? 'training step' : 'inference';
  console.log(`\nResNet50 ${unit}, ${batch}x${size}x${size}, ${rounds} alternating rounds, ${date}`);
  console.log(
    `${adapter ?? 'no adapter'}; ${processor}; Node ${node}${cold ? '; no shader cache on disk' : ''}${lendNap ? "; peers with sketchgrad's naps" : ''}\n`,
  );
  for (const { name, adapter: own } of engines) {
    if (ENGINES[name].processor === true && own !== undefined) console.log(`${name}: ${own}`);
  }
  for (const row of table) {
    console.log(
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  '),
    );
  }
  if (disagreements.length > 0) console.log(`\nThe answers differ:\n${disagreements.join('\n')}`);
  else if (engines.filter(({ failure }) => failure === undefined).length > 1) {
    console.log(
      `\nThe answers agree: ${work === 'train' ? `the first losses within ${TOLERANCE.loss}` : `all logits within ${TOLERANCE.logits} of the largest`}.`,
    );
  }
}

await main();
