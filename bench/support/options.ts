import { parseArgs, type ParseArgsConfig } from 'node:util';
import { ADAPTER_CHOICES, type AdapterChoice } from '../../src/platform/adapter.ts';
import type { Work } from './kernel-bench.ts';
import type { BenchClock } from './clock.ts';

export const BENCH_USAGE = `npm run bench -- [kernel ...] [options]
  Measures the adapter's ceilings, then every kernel on the shapes of ResNet50, against the roofline.

  --shape PART        only shapes whose name contains it; may be given again
  --variant PART      only variants whose name contains it
  --variants          a line for each variant, not only the chosen one and the next best
  --tuned             the chosen variant is the tuner's, by its records and the shipped tables (sketchgrad tune), not
                      the one that the kernel prefers
  --batch N --size N  number of images, and their height and width (16, 64)
  --adapter NAME      ${ADAPTER_CHOICES.join(', ')} (auto)
  --time SECONDS      for all kernels together; few rounds are taken of each in any case (150)
  --rounds N          at most this many samples of each variant (30)
  --processor-time    count the processor time of this process in place of the clock: on a software adapter, figures of
                      one core that other work on the machine hardly moves
  --json [FILE]       everything measured, to the file or in place of the tables
  --compare OLD.json  what changed since that report; needs the same adapter and work
  --against FOLDER    another checkout, alternating with this one in one run: the fair comparison
  --trace FILE        instead: a training step as a Chrome trace, for ui.perfetto.dev or chrome://tracing
  --list              the kernels and their shapes, without measuring
  --help`;

export interface BenchOptions {
  readonly kernels: readonly string[];
  readonly shapes: readonly string[];
  readonly variant: string | undefined;
  readonly allVariants: boolean;
  readonly tuned: boolean;
  readonly work: Work;
  readonly adapter: AdapterChoice;
  readonly seconds: number;
  readonly maxRounds: number | undefined;
  readonly clock: BenchClock;
  /** A file, or true for standard output. */
  readonly json: string | true | undefined;
  readonly compare: string | undefined;
  readonly against: string | undefined;
  readonly trace: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

/** @throws RangeError or TypeError that names the flag and what it takes */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: withJsonValue(args),
    allowPositionals: true,
    options: BENCH_FLAGS,
  });
  const modes = (['compare', 'against', 'trace'] as const).filter((name) => values[name] !== undefined);
  if (modes.length > 1) throw new RangeError(`--${modes.join(' and --')} exclude one another`);
  if (values['processor-time'] === true && values.against !== undefined)
    throw new RangeError('--processor-time and --against exclude one another: other processes do the work');
  return {
    kernels: positionals,
    shapes: values.shape ?? [],
    variant: values.variant,
    allVariants: values.variants ?? false,
    tuned: values.tuned ?? false,
    work: { batch: positiveInteger('batch', values.batch), size: positiveInteger('size', values.size) },
    adapter: adapterChoice(values.adapter),
    seconds: positive('time', values.time),
    maxRounds: values.rounds === undefined ? undefined : positiveInteger('rounds', values.rounds),
    clock: values['processor-time'] === true ? 'processor' : 'wall',
    json: values.json === '-' ? true : values.json,
    compare: values.compare,
    against: values.against,
    trace: values.trace,
    list: values.list ?? false,
    help: values.help ?? false,
  };
}

const BENCH_FLAGS = {
  shape: { type: 'string', multiple: true },
  variant: { type: 'string' },
  variants: { type: 'boolean' },
  tuned: { type: 'boolean' },
  batch: { type: 'string', default: '16' },
  size: { type: 'string', default: '64' },
  adapter: { type: 'string', default: 'auto' },
  time: { type: 'string', default: '150' },
  rounds: { type: 'string' },
  'processor-time': { type: 'boolean' },
  json: { type: 'string' },
  compare: { type: 'string' },
  against: { type: 'string' },
  trace: { type: 'string' },
  list: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

/**
 * `--json` alone means standard output, which parseArgs has no word for. Only what ends in .json is taken for its file.
 */
function withJsonValue(args: readonly string[]): string[] {
  return args.map((arg, index) => (arg === '--json' && !/\.json$/.test(args[index + 1] ?? '') ? '--json=-' : arg));
}

export function adapterChoice(name: string): AdapterChoice {
  if (!ADAPTER_CHOICES.includes(name as AdapterChoice))
    throw new RangeError(`--adapter ${name}: choose one of ${ADAPTER_CHOICES.join(', ')}`);
  return name as AdapterChoice;
}

export function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new RangeError(`--${flag} ${text}: a number above zero was expected`);
  return value;
}

export function positiveInteger(flag: string, text: string): number {
  const value = positive(flag, text);
  if (!Number.isInteger(value)) throw new RangeError(`--${flag} ${text}: a whole number was expected`);
  return value;
}

/** Such as `--batch 1,8,32`. */
export const positiveIntegers = (flag: string, text: string): number[] =>
  text.split(',').map((part) => positiveInteger(flag, part));
