// npm run bench:start: how long the first inference and the first training step take, with an empty shader cache and with a filled one.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { textTable } from '../src/cli/display/text-table.ts';
import { ADAPTER_CHOICES, adapterEnvironment } from '../src/platform/adapter.ts';
import type { Configuration, ModelResult } from './model-worker.ts';
import { measureModel } from './support/measure-model.ts';
import { mistakesByName } from './support/mistakes.ts';
import { adapterChoice, positiveInteger } from './support/options.ts';
import { describeCircumstances } from './support/report.ts';
import { halfSpread, median } from '../src/benchmark/statistics.ts';
import { digits } from './support/tables.ts';

const USAGE = `npm run bench:start -- [options]
  Time from the plan of a program to the result of its first run: ResNet50 at full width, inference 1x224x224 and training step 16x64x64.
  Each in a new process: cold, with an empty folder as Mesa's shader cache, and then warm, with what the cold one left there. An adapter
  without such a cache starts cold twice.

  --rounds N          cold and warm starts of each (5)
  --adapter NAME      ${ADAPTER_CHOICES.join(', ')} (auto)
  --json FILE         everything measured
  --help`;

const FLAGS = {
  rounds: { type: 'string', default: '5' },
  adapter: { type: 'string', default: 'auto' },
  json: { type: 'string' },
  help: { type: 'boolean' },
} as const;

const WORK: readonly Configuration[] = [
  { pass: 'infer', batch: 1, size: 224, precision: 'f32' },
  { pass: 'train', batch: 16, size: 64, precision: 'f32' },
];

/** Seconds until a program was compiled and had run once. */
const startOf = ({ compile, firstStep }: ModelResult): number => (compile + firstStep) / 1000;

await mistakesByName(async () => {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help === true) return console.log(USAGE);
  const rounds = positiveInteger('rounds', values.rounds);
  const environment = { ...process.env, ...(await adapterEnvironment(adapterChoice(values.adapter))) };
  const starts = new Map<string, ModelResult[]>();
  for (let round = 0; round < rounds; round++) {
    for (const configuration of WORK) {
      const cache = await mkdtemp(path.join(tmpdir(), 'sketchgrad-start-'));
      try {
        for (const kind of ['cold', 'warm']) {
          const name = `${configuration.pass} ${configuration.batch}x${configuration.size}x${configuration.size}, ${kind}`;
          const job = { ...configuration, tuned: false, rounds: 3, seconds: 5 };
          const result = await measureModel(job, { ...environment, MESA_SHADER_CACHE_DIR: cache });
          starts.set(name, [...(starts.get(name) ?? []), result]);
          process.stderr.write(`${name} ${digits(startOf(result))} s\n`);
        }
      } finally {
        await rm(cache, { recursive: true, force: true });
      }
    }
  }
  const results = [...starts.values()].flat();
  const command = ['npm run bench:start --', ...process.argv.slice(2)].join(' ');
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ format: 'sketchgrad bench start 1', command, results })}\n`);
  const rows = [...starts].map(([name, of]) => [
    name,
    digits(median(of.map(startOf))),
    digits(halfSpread(of.map(startOf))),
    digits(median(of.map(({ samples }) => median(samples)))),
    (median(of.map(({ peakBytes }) => peakBytes)) / 2 ** 20).toFixed(0),
  ]);
  console.log(
    `${describeCircumstances({ ...results[0].circumstances, command })}\n\n${textTable(['', 'first s', '+-', 'later ms', 'process MiB'], rows)}`,
  );
});
