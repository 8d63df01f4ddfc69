// npm run bench:model: ResNet50's inference and training step over batch and resolution.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { textTable } from '../src/cli/display/text-table.ts';
import { ADAPTER_CHOICES, adapterEnvironment } from '../src/platform/adapter.ts';
import type { Configuration, ModelResult } from './model-worker.ts';
import { mistakesByName } from './support/mistakes.ts';
import { measureModel } from './support/measure-model.ts';
import { adapterChoice, positive, positiveInteger, positiveIntegers } from './support/options.ts';
import { describeCircumstances } from './support/report.ts';
import type { Pass } from './support/resnet50-programs.ts';
import { halfSpread, median } from '../src/benchmark/statistics.ts';
import { digits } from './support/tables.ts';

const USAGE = `npm run bench:model -- [options]
  ResNet50 at full width, each configuration in a process of its own, so that its peak memory is its own.

  --work LIST         infer, train (both)
  --batch LIST        images (1,8,32)
  --size LIST         height and width of the images (64,224)
  --precision LIST    f32, f16: how activations are stored (f32)
  --tuned             variants are the tuner's, by its records and the shipped tables (sketchgrad tune), not those that kernels prefer
  --adapter NAME      ${ADAPTER_CHOICES.join(', ')} (auto)
  --rounds N          at most this many steps are timed of each (20), and at least 3
  --time SECONDS      after which no further step is timed (10)
  --json FILE         everything measured
  --help`;

const FLAGS = {
  work: { type: 'string', default: 'infer,train' },
  batch: { type: 'string', default: '1,8,32' },
  size: { type: 'string', default: '64,224' },
  precision: { type: 'string', default: 'f32' },
  tuned: { type: 'boolean', default: false },
  adapter: { type: 'string', default: 'auto' },
  rounds: { type: 'string', default: '20' },
  time: { type: 'string', default: '10' },
  json: { type: 'string' },
  help: { type: 'boolean' },
} as const;

interface Failure extends Configuration {
  readonly failure: string;
}

await mistakesByName(async () => {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help === true) return console.log(USAGE);
  const passes = values.work.split(',').map(passOf);
  const precisions = values.precision.split(',').map(precisionOf);
  const configurations = passes.flatMap((pass) =>
    positiveIntegers('size', values.size).flatMap((size) =>
      positiveIntegers('batch', values.batch).flatMap((batch) =>
        precisions.map((precision): Configuration => ({ pass, batch, size, precision })),
      ),
    ),
  );
  const limits = {
    tuned: values.tuned,
    rounds: positiveInteger('rounds', values.rounds),
    seconds: positive('time', values.time),
  };
  const environment = { ...process.env, ...(await adapterEnvironment(adapterChoice(values.adapter))) };
  // Not the command lines of the workers.
  const command = ['npm run bench:model --', ...process.argv.slice(2)].join(' ');
  const results: ModelResult[] = [];
  const failures: Failure[] = [];
  for (const configuration of configurations) {
    process.stderr.write(`${nameOf(configuration)} `);
    try {
      const result = await measureModel({ ...configuration, ...limits }, environment);
      results.push(result);
      process.stderr.write(`${digits(median(result.samples))} ms\n`);
    } catch (error) {
      failures.push({ ...configuration, failure: messageOf(error) });
      process.stderr.write('failed\n');
    }
  }
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify({ format: 'sketchgrad bench model 1', command, results, failures })}\n`,
    );
  if (results.length > 0)
    console.log(`${describeCircumstances({ ...results[0].circumstances, command })}\n\n${modelTable(results)}`);
  for (const { failure, ...configuration } of failures) console.error(`\n${nameOf(configuration)} failed:\n${failure}`);
  if (failures.length > 0) process.exitCode = 1;
});

function modelTable(results: readonly ModelResult[]): string {
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  const rows = results.map(
    ({
      pass,
      batch,
      size,
      precision,
      compile,
      firstStep,
      samples,
      hostSamples,
      flop,
      arenaBytes,
      deviceBytes,
      peakBytes,
    }) => {
      const time = median(samples);
      return [
        nameOf({ pass, batch, size, precision }),
        digits((compile + firstStep) / 1000),
        digits(time),
        digits(halfSpread(samples)),
        digits((1000 * batch) / time),
        digits(flop / time / 1e6),
        digits(median(hostSamples)),
        mebibytes(arenaBytes),
        mebibytes(deviceBytes),
        mebibytes(peakBytes),
      ];
    },
  );
  return textTable(
    ['', 'first s', 'ms', '+-', 'img/s', 'GFLOP/s', 'host ms', 'arena MiB', 'buffers MiB', 'process MiB'],
    rows,
  );
}

function passOf(name: string): Pass {
  if (name !== 'infer' && name !== 'train')
    throw new RangeError(`--work ${name}: a list of infer and train was expected`);
  return name;
}

function nameOf({ pass, batch, size, precision }: Configuration): string {
  return `${pass} ${batch}x${size}x${size}${precision === 'f32' ? '' : ` ${precision}`}`;
}

function precisionOf(name: string): Configuration['precision'] {
  if (name !== 'f32' && name !== 'f16') throw new RangeError(`--precision ${name}: a list of f32 and f16 was expected`);
  return name;
}

/** What the worker said before it ended, its stack left out. */
function messageOf(error: unknown): string {
  const { stderr = '', message } = error as Error & { stderr?: string };
  return /^\w*Error: .*$/m.exec(stderr)?.[0] ?? (stderr.trim() || message);
}
