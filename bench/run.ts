// npm run bench: every kernel against the roofline. `npm run bench -- --help` lists the options, bench/README.md explains them.
import { writeFileSync } from 'node:fs';
import type { Device } from '../src/gpu/device.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../src/platform/node/adapter.ts';
import { compareCheckouts } from './against.ts';
import { catalogue, type Entry } from './support/catalogue.ts';
import { measureCeilings } from './support/ceilings.ts';
import { changesTable, checkComparable, compareResults, drift, summary } from './support/compare.ts';
import { measure } from './support/measure.ts';
import { mistakesByName } from './support/mistakes.ts';
import { BENCH_USAGE, parseBenchOptions, type BenchOptions } from './support/options.ts';
import { progressLine } from './support/progress.ts';
import { circumstances, describeCircumstances, readReport, REPORT_FORMAT, type Report } from './support/report.ts';
import { ceilingsTable, failureList, kernelTables, variantTables } from './support/tables.ts';
import { traceTrainingStep } from './trace.ts';

await mistakesByName(async () => {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options.help) return console.log(BENCH_USAGE);
  // Wrong names come out before a device is opened.
  const entries = await catalogue(options, options.work);
  if (options.list) return entries.forEach(({ name, problemName }) => console.log(`${name}: ${problemName}`));
  if (options.against !== undefined) return compareCheckouts(options, options.against);
  await ensureAdapter(options.adapter);
  const device = await openDevice(options.adapter);
  try {
    if (options.trace !== undefined) await traceTrainingStep(device, options.work, options.trace);
    else await profile(device, entries, options);
  } finally {
    device.destroy();
    releaseGpu();
  }
});

async function profile(device: Device, entries: readonly Entry[], { variant, allVariants, work, seconds, maxRounds, json, compare }: BenchOptions): Promise<void> {
  const old = compare === undefined ? undefined : readReport(compare);
  const about = circumstances(device);
  console.error('measuring the ceilings');
  const ceilings = await measureCeilings(device);
  const results = await measure(device, entries, { variant, seconds, maxRounds, onProgress: progressLine });
  const report: Report = { format: REPORT_FORMAT, ...about, traits: device.traits, work, ceilings, results };
  if (json === true) console.log(JSON.stringify(report));
  else {
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report)}\n`);
    console.log(`${describeCircumstances(about)}\nResNet50, batch ${work.batch} at ${work.size}x${work.size}\n`);
    console.log(`${ceilingsTable(ceilings)}\n`);
    console.log(allVariants ? variantTables(results, ceilings) : kernelTables(results, ceilings));
  }
  if (old !== undefined && compare !== undefined) {
    checkComparable(old, report, compare);
    const moved = drift(old, report);
    const changes = compareResults(old.results, results, moved);
    const print = json === true ? console.error : console.log;
    print(`\nAgainst ${compare} of ${old.date}, commit ${old.commit}: the ceilings themselves moved by up to ${(100 * moved).toFixed(0)} %, and only what changed by more is marked.\n`);
    print(changesTable(changes));
    print(summary(changes));
  }
  const failures = failureList(results);
  if (failures !== '') {
    console.error(`\nThese variants failed:\n${failures}`);
    process.exitCode = 1;
  }
}
