// npm run bench: every kernel against the roofline. `npm run bench -- --help` lists the options, bench/README.md
// explains them.
import { writeFileSync } from 'node:fs';
import type { Choices } from '../src/autodiff/variant-selector.ts';
import { openTuner } from '../src/cli/tuning.ts';
import type { Device } from '../src/gpu/device.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../src/platform/adapter.ts';
import { compareCheckouts } from './against.ts';
import { catalogue } from './support/catalogue.ts';
import { tuningProblemOf, type Entry } from './support/entries.ts';
import { measureCeilings } from '../src/benchmark/ceilings.ts';
import { changesTable, checkComparable, compareResults, drift, driftWarning, summary } from './support/compare.ts';
import { productSummary } from './support/matrix-products.ts';
import { samplingClock } from './support/clock.ts';
import { measure } from './support/measure.ts';
import { mistakesByName } from './support/mistakes.ts';
import { BENCH_USAGE, parseBenchOptions, type BenchOptions } from './support/options.ts';
import { progressLine } from './support/progress.ts';
import { circumstances, describeCircumstances, readReport, REPORT_FORMAT, type Report } from './support/report.ts';
import { ceilingsTable, failureList, kernelTables, rooflineWarning, variantTables } from './support/tables.ts';
import { traceTrainingStep } from './trace.ts';

await mistakesByName(async () => {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options.help) return console.log(BENCH_USAGE);
  // Wrong names come out before a device is opened.
  const entries = await catalogue(options, options.work);
  if (options.list) return entries.forEach(({ name, problemName }) => console.log(`${name}: ${problemName}`));
  if (options.against !== undefined) return compareCheckouts(options, options.against);
  await ensureAdapter(options.adapter);
  const device = await openDevice(options.adapter, { unsafe: true });
  try {
    if (options.trace !== undefined) await traceTrainingStep(device, options.work, options.trace);
    else await profile(device, entries, options);
  } finally {
    device.dispose();
    releaseGpu();
  }
});

async function profile(
  device: Device,
  entries: readonly Entry[],
  { variant, allVariants, tuned, work, seconds, maxRounds, clock, json, compare }: BenchOptions,
): Promise<void> {
  const old = compare === undefined ? undefined : readReport(compare);
  if (clock === 'processor' && device.traits.kind === 'gpu')
    throw new RangeError('--processor-time: this adapter does not compute on the processor');
  const about = circumstances(device, 'bench');
  console.error('measuring the ceilings');
  const ceilings = await measureCeilings(device, { clock: samplingClock(clock) });
  const choices = tuned ? await tunedChoices(device, entries) : undefined;
  const results = await measure(device, entries, {
    choices,
    variant,
    seconds,
    maxRounds,
    clock,
    onProgress: progressLine,
  });
  const report: Report = { format: REPORT_FORMAT, ...about, traits: device.traits, work, clock, ceilings, results };
  if (json === true) console.log(JSON.stringify(report));
  else {
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report)}\n`);
    console.log(
      `${describeCircumstances(about)}\nResNet50, batch ${work.batch} at ${work.size}x${work.size}${clock === 'processor' ? '; processor time' : ''}\n`,
    );
    console.log(`${ceilingsTable(ceilings)}\n`);
    console.log(allVariants ? variantTables(results, ceilings) : kernelTables(results, ceilings));
    const products = productSummary(results, ceilings);
    if (products !== '') console.log(`\n${products}`);
  }
  const above = rooflineWarning(results, ceilings);
  if (above !== '') console.error(`\n${above}`);
  if (old !== undefined && compare !== undefined) {
    checkComparable(old, report, compare);
    const moved = drift(old, report);
    const changes = compareResults(old.results, results, moved);
    const print = json === true ? console.error : console.log;
    print(
      `\nAgainst ${compare} of ${old.date}, commit ${old.commit}: the ceilings themselves moved by up to ${(100 * moved).toFixed(0)} %; what changed by less is marked with "?" at most.\n`,
    );
    const warning = driftWarning(old, report);
    if (warning !== '') print(`${warning}\n`);
    print(changesTable(changes));
    print(summary(changes));
  }
  const failures = failureList(results);
  if (failures !== '') {
    console.error(`\nThese variants failed:\n${failures}`);
    process.exitCode = 1;
  }
}

/** What a program would run after `sketchgrad tune`: verified here, measured before. */
async function tunedChoices(device: Device, entries: readonly Entry[]): Promise<Choices> {
  const tuner = await openTuner(device, { tune: 'off', deterministic: false });
  return tuner.select(
    entries
      .map((entry) => tuningProblemOf(entry, device.traits))
      .filter((tuningProblem) => tuningProblem !== undefined),
  );
}
