import { readFile } from 'node:fs/promises';
import type { AdapterTraits } from '../../../kernels/contract/adapter-traits.ts';
import { tuningKey, type TuningProblem } from '../../autodiff/variant-selector.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { tuningFile } from '../../platform/node/tuning-records.ts';
import type { TuningRecords } from '../../tuning/records.ts';
import { serializeTables, tableFor, tableOf, type TuningTable } from '../../tuning/tables.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS } from '../options/shared.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { choice, integer, text } from '../options/kinds.ts';
import { NETWORK_OPTIONS } from '../options/training/network.ts';
import { readJsonFile } from '../options/configuration.ts';
import { OptionError } from '../options/option.ts';
import { note, printText } from '../display/progress.ts';
import { textTable } from '../display/text-table.ts';
import { openTuner } from '../tuning.ts';
import {
  classifierInference,
  classifierTraining,
  demoWorkloads,
  tuningProblemsOfAll,
  type ImageShape,
  type Workload,
} from '../training/workloads.ts';

export const TUNE_OPTIONS = {
  workload: choice(['training', 'inference', 'demo', 'known'], {
    default: 'training',
    help: 'What to tune for: a training step or inference of a network at the given sizes, the demo, or the problems of the shipped tables',
  }),
  batch: integer({ minimum: 1, default: 16, help: 'Images in a batch' }),
  size: { ...NETWORK_OPTIONS.size, default: 64 },
  backbone: { ...NETWORK_OPTIONS.backbone, help: 'The network' },
  width: { ...NETWORK_OPTIONS.width, help: "Multiplier of the backbone's numbers of channels" },
  effort: choice(['quick', 'full'], { default: 'full', help: 'quick takes 20 s at most, full 15 minutes' }),
  limit: integer({ minimum: 1, help: "Seconds that the measuring may take, in place of the effort's own" }),
  writeTable: text({
    placeholder: 'file',
    help: 'Add the results to this table of known adapters; src/tuning/known-adapters.json is the shipped one',
  }),
  fromReport: text({
    placeholder: 'file',
    help: 'Measure nothing: add the choices of a report of the page web/bench to --write-table',
  }),
  ...SHARED_OPTIONS,
} as const;

/** Rows of the summary. */
const SHOWN = 12;

export const tuneCommand = defineCommand({
  name: 'tune',
  summary: 'Measure the fastest variant of each kernel on this adapter',
  options: TUNE_OPTIONS,
  async run({ workload, effort, limit, writeTable, fromReport, adapter, ...shape }) {
    const tables = writeTable === undefined ? [] : await readTables(writeTable);
    if (fromReport !== undefined) {
      if (writeTable === undefined) throw new OptionError('--from-report needs --write-table, the table to add it to');
      return addReport(fromReport, writeTable, tables);
    }
    const device = await openCommandDevice(adapter);
    try {
      const tuningProblems = tuningProblemsOfAll(device, await workloadsFor(workload, shape, device.traits));
      note(
        `${device.description.device}: ${tuningProblems.length} problems, ${tuningProblems.filter(({ calls }) => calls.length > 1).length} with a choice of variants`,
      );
      // The shipped table must not replace what is measured here.
      const tuner = await openTuner(
        device,
        { tune: effort, deterministic: false },
        { tables: [], ...(limit !== undefined && { limit: 1000 * limit }) },
      );
      await tuner.select(tuningProblems);
      printText(`${summary(tuningProblems, tuner.records)}\nkept in ${tuningFile(device)}\n`);
      if (writeTable !== undefined) {
        await writeFileAtomically(
          writeTable,
          new TextEncoder().encode(
            serializeTables([
              ...tables.filter((table) => table !== tableFor(device, tables)),
              await tableOf(device, tuningProblems, tuner.records, new Date().toISOString().slice(0, 10)),
            ]),
          ),
        );
        printText(`table of known adapters: ${writeTable}\n`);
      }
    } finally {
      closeCommandDevice(device);
    }
  },
});

async function workloadsFor(
  name: 'training' | 'inference' | 'demo' | 'known',
  shape: ImageShape,
  { kind }: Pick<AdapterTraits, 'kind'>,
): Promise<readonly Workload[]> {
  if (name === 'training') return [classifierTraining(shape)];
  if (name === 'inference') return [classifierInference(shape)];
  if (name === 'demo') return demoWorkloads();
  if (kind === 'gpu')
    return [
      classifierTraining({ batch: 32, size: 224, width: 1 }),
      classifierInference({ batch: 32, size: 224, width: 1 }),
    ];
  return [
    ...(await demoWorkloads()),
    classifierTraining({ batch: 16, size: 64, width: 1 }),
    classifierTraining({ batch: 8, size: 224, width: 1 }),
    classifierInference({ batch: 1, size: 224, width: 1 }),
    classifierInference({ batch: 16, size: 64, width: 1 }),
  ];
}

/** @throws OptionError where the file holds no report, or a report that does not name its adapter */
async function addReport(file: string, writeTable: string, tables: readonly TuningTable[]): Promise<void> {
  const { format, version, card, table } = (await readJsonFile(file, '--from-report')) as {
    readonly format?: string;
    readonly version?: number;
    readonly card?: string;
    readonly table?: TuningTable;
  };
  if (format !== 'sketchgrad adapter report' || version !== 1 || table === undefined)
    throw new OptionError(`--from-report ${file}: it is no report of the page web/bench of this version`);
  // Browsers hide the device's name; the visitor may have typed what the driver calls it.
  const device = table.device || card || '';
  if (device === '')
    throw new OptionError(
      `--from-report ${file}: it names no device, by which the table is found; set its "card" to the beginning of the name that the driver gives (sketchgrad doctor)`,
    );
  const added = { ...table, device, measured: `${device} in a browser, ${table.measured.split(', ').at(-1)}` };
  const others = tables.filter((one) => one.device !== device || one.subgroupSize !== table.subgroupSize);
  await writeFileAtomically(writeTable, new TextEncoder().encode(serializeTables([...others, added])));
  printText(
    `${table.problems} problems of ${device}; in ${table.preferenceBest} the preferred variant is the fastest\ntable of known adapters: ${writeTable}\n`,
  );
}

/** What tuning changes, the largest gains first. */
function summary(tuningProblems: readonly TuningProblem[], { choices }: TuningRecords): string {
  let measured = 0;
  const gains = tuningProblems.flatMap((tuningProblem) => {
    const record = choices.get(tuningKey(tuningProblem));
    const time = record?.milliseconds[record.variant];
    // Where nothing else was left to choose, nothing was timed.
    if (record === undefined || time === undefined) return [];
    measured++;
    const [preferred] = tuningProblem.calls;
    const before = record.milliseconds[preferred.variant];
    return record.variant === preferred.variant
      ? []
      : [
          {
            tuningProblem,
            variant: record.variant,
            preferred: preferred.variant,
            time,
            before,
            gain: before === undefined ? Infinity : (before - time) * tuningProblem.uses,
          },
        ];
  });
  gains.sort((a, b) => b.gain - a.gain);
  const rows = gains
    .slice(0, SHOWN)
    .map(({ tuningProblem, variant, preferred, time, before }) => [
      tuningKey(tuningProblem).slice(0, 90),
      preferred,
      variant,
      before?.toFixed(3) ?? 'hopeless',
      time.toFixed(3),
      String(tuningProblem.uses),
    ]);
  const head = `${measured} of ${tuningProblems.filter(({ calls }) => calls.length > 1).length} problems are measured; in ${gains.length} of them another variant is faster than the one that its kernel prefers`;
  return rows.length === 0
    ? head
    : `${head}\n\n${textTable(['problem', 'preferred', 'chosen', 'ms', 'ms', 'uses'], rows, { left: 3 })}`;
}

async function readTables(file: string): Promise<readonly TuningTable[]> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as readonly TuningTable[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new OptionError(`--write-table: ${file} holds no table of known adapters: ${(error as Error).message}`);
  }
}
