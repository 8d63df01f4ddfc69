// npm run bench:evaluation: retrieval metrics at the size of QuickDraw Extended, from synthetic embeddings.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { textTable } from '../src/cli/display/text-table.ts';
import { ADAPTER_CHOICES, adapterEnvironment } from '../src/platform/adapter.ts';
import type { EvaluationJob, EvaluationResult } from './evaluation-worker.ts';
import { mistakesByName } from './support/mistakes.ts';
import { adapterChoice, positiveInteger, positiveIntegers } from './support/options.ts';
import { describeCircumstances } from './support/report.ts';

const USAGE = `npm run bench:evaluation -- [options]
  Ranks every item for every query and measures the metrics, each dimension in a process of its own, so that its peak
  memory is its own; then ranks a sample of the queries by a plain full sort and compares.

  --dimension LIST    values of an embedding (64,512)
  --queries N         (92291, as QuickDraw Extended)
  --gallery N         (54151)
  --classes N         (30)
  --sample N          queries that are sorted in full as well (50)
  --adapter NAME      ${ADAPTER_CHOICES.join(', ')} (auto)
  --json FILE         everything measured
  --help`;

const FLAGS = {
  dimension: { type: 'string', default: '64,512' },
  queries: { type: 'string', default: '92291' },
  gallery: { type: 'string', default: '54151' },
  classes: { type: 'string', default: '30' },
  sample: { type: 'string', default: '50' },
  adapter: { type: 'string', default: 'auto' },
  json: { type: 'string' },
  help: { type: 'boolean' },
} as const;

await mistakesByName(async () => {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help === true) return console.log(USAGE);
  const [queries, gallery, classes, sample] = (['queries', 'gallery', 'classes', 'sample'] as const).map((name) =>
    positiveInteger(name, values[name]),
  );
  const environment = { ...process.env, ...(await adapterEnvironment(adapterChoice(values.adapter))) };
  const command = ['npm run bench:evaluation --', ...process.argv.slice(2)].join(' ');
  const results: EvaluationResult[] = [];
  for (const dimension of positiveIntegers('dimension', values.dimension))
    results.push(
      await measure({ dimension, queries, gallery, classes, sample: Math.min(sample, queries) }, environment),
    );
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ format: 'sketchgrad bench evaluation 1', command, results })}\n`);
  console.log(`${describeCircumstances({ ...results[0].circumstances, command })}\n\n${table(results)}`);
  if (results.some((result) => result.equalQueries !== result.sample)) {
    console.error('\nThe ranks differ from those of the full sort.');
    process.exitCode = 1;
  }
});

async function measure(job: EvaluationJob, env: NodeJS.ProcessEnv): Promise<EvaluationResult> {
  const worker = fileURLToPath(new URL('./evaluation-worker.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', worker, JSON.stringify(job)], {
    env,
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout.trim().split('\n').pop() ?? '') as EvaluationResult;
}

function table(results: readonly EvaluationResult[]): string {
  const head = [
    'queries x gallery x dimension',
    's',
    'processor s',
    'first ten ranks, s',
    'processor s',
    'peak MiB',
    'mAP@all',
    'P@100',
    'as the full sort',
    'ties in it',
    'float64 less device',
    'P@10, ten ranks less all',
  ];
  return textTable(
    head,
    results.map((result) => [
      `${result.queries} x ${result.gallery} x ${result.dimension}`,
      result.seconds.toFixed(1),
      result.processorSeconds.toFixed(1),
      result.topSeconds.toFixed(1),
      result.topProcessorSeconds.toFixed(1),
      String(Math.round(result.peakBytes / 2 ** 20)),
      result.mapAll.toFixed(6),
      result.precisionAt100.toFixed(6),
      `${result.equalQueries} of ${result.sample}`,
      String(result.ties),
      result.sampleDifference.toExponential(1),
      result.topDifference.toExponential(1),
    ]),
  );
}
