// npm run bench:ladder: a kernel's versions, from the naive one to those that ship, each against the one below it.
import { readdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { textTable } from '../src/cli/display/text-table.ts';
import { ADAPTER_CHOICES, ensureAdapter, openDevice, releaseGpu } from '../src/platform/adapter.ts';
import type { Ladder } from './ladder/ladder.ts';
import { entriesOf } from './support/entries.ts';
import { measureCeilings, type Ceilings } from '../src/benchmark/ceilings.ts';
import { samplingClock } from './support/clock.ts';
import { measure, type Result } from './support/measure.ts';
import { mistakesByName } from './support/mistakes.ts';
import { adapterChoice, positive, positiveInteger } from './support/options.ts';
import { progressLine } from './support/progress.ts';
import { circumstances, describeCircumstances } from './support/report.ts';
import { median } from '../src/benchmark/statistics.ts';
import { byProblem } from './support/results.ts';
import { digits, failureList, figures } from './support/tables.ts';

const folder = new URL('./ladder/', import.meta.url);
const LADDERS = readdirSync(folder)
  .map((file) => file.replace('.ts', '').replaceAll('-', '_'))
  .filter((name) => name !== 'ladder' && name !== 'shader')
  .sort();

const USAGE = `npm run bench:ladder -- KERNEL [options]
  Ladders: ${LADDERS.join(', ')}

  --shape PART        shapes whose name contains it, in place of the ladder's own few; may be given again
  --batch N --size N  number of images, and their height and width (16, 64)
  --adapter NAME      ${ADAPTER_CHOICES.join(', ')} (auto)
  --time SECONDS      for all shapes together (60); few rounds are taken of each in any case
  --processor-time    count the processor time of this process in place of the clock, as in npm run bench
  --json FILE         everything measured
  --help`;

await mistakesByName(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      shape: { type: 'string', multiple: true },
      batch: { type: 'string', default: '16' },
      size: { type: 'string', default: '64' },
      adapter: { type: 'string', default: 'auto' },
      time: { type: 'string', default: '60' },
      'processor-time': { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true || positionals.length === 0) return console.log(USAGE);
  const work = { batch: positiveInteger('batch', values.batch), size: positiveInteger('size', values.size) };
  const entries = [];
  for (const name of positionals) {
    if (!LADDERS.includes(name)) throw new RangeError(`no ladder is called ${name}; there are ${LADDERS.join(', ')}`);
    const { default: ladder } = (await import(new URL(`${name.replaceAll('_', '-')}.ts`, folder).href)) as {
      default: Ladder<unknown>;
    };
    entries.push(...entriesOf(name, ladder, values.shape ?? ladder.shapes, work));
  }
  if (entries.length === 0) throw new RangeError(`no shape's name contains ${values.shape?.join(' or ')}`);
  const seconds = positive('time', values.time);
  const adapter = adapterChoice(values.adapter);
  const clock = values['processor-time'] ? 'processor' : 'wall';
  await ensureAdapter(adapter);
  const device = await openDevice(adapter, { unsafe: true });
  try {
    if (clock === 'processor' && device.traits.kind === 'gpu')
      throw new RangeError('--processor-time: this adapter does not compute on the processor');
    const about = circumstances(device, 'bench:ladder');
    const ceilings = await measureCeilings(device, { clock: samplingClock(clock) });
    const results = await measure(device, entries, { seconds, clock, keepAll: true, onProgress: progressLine });
    if (values.json !== undefined)
      writeFileSync(
        values.json,
        `${JSON.stringify({ format: 'sketchgrad bench ladder 1', ...about, work, clock, ceilings, results })}\n`,
      );
    console.log(
      `${describeCircumstances(about)}${clock === 'processor' ? '\nProcessor time' : ''}\n\n${ladderTables(results, ceilings)}`,
    );
    const failures = failureList(results);
    if (failures !== '') {
      console.error(`\nThese rungs failed:\n${failures}`);
      process.exitCode = 1;
    }
  } finally {
    device.dispose();
    releaseGpu();
  }
});

/** From the bottom up: figures, and how many times as fast as the rung before and as the first. */
function ladderTables(results: readonly Result[], ceilings: Ceilings): string {
  const head = ['version', 'ms', '+-', 'GFLOP/s', 'GB/s', 'roofline', 'bound', 'over the one before', 'over the first'];
  return [...byProblem(results).values()]
    .map((group) => {
      const measured = group.filter(({ samples }) => samples.length > 0);
      const times = measured.map(({ samples }) => median(samples));
      const rows = measured.map((result, index) => [
        result.variant,
        ...figures(result, ceilings),
        index === 0 ? '-' : `${digits(times[index - 1] / times[index])} x`,
        `${digits(times[0] / times[index])} x`,
      ]);
      return `${group[0].kernel}: ${group[0].problem}\n${textTable(head, rows)}`;
    })
    .join('\n\n');
}
