/** The results of an ablation, in files of its folder, and the tables of them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { ABLATION, summarise, type AblationResult, type AblationStep, type Summary } from '../../training/ablation.ts';
import type { Json } from '../../models/model-file.ts';
import { isJsonObject } from '../../formats/untrusted.ts';
import { differences } from '../../training/resume.ts';
import { OptionError } from '../options/option.ts';
import { printText } from '../display/progress.ts';
import { textTable } from '../display/text-table.ts';

/** UTF-8. */
export const encode = (content: string): Uint8Array => new TextEncoder().encode(content);
/** The folder of a training, in that of the ablation. */
export const runName = ({ name }: AblationStep, seed: number): string =>
  `${name
    .replace(/[^a-z]+/g, ' ')
    .trim()
    .replaceAll(' ', '-')}-${seed}`;
/** The file of a result. */
export const resultFile = (folder: string, step: AblationStep, seed: number): string =>
  path.join(folder, `${runName(step, seed)}.json`);
/** A result that is there already. */
export const resultIn = async (folder: string, step: AblationStep, seed: number): Promise<AblationResult | undefined> =>
  readFile(resultFile(folder, step, seed), 'utf8').then(
    (content) => JSON.parse(content) as AblationResult,
    () => undefined,
  );

/** @throws OptionError where the folder holds an ablation whose numbers come from something else */
export async function requireSameAblation(folder: string, about: Json): Promise<void> {
  const file = path.join(folder, 'about.json');
  const before = await readFile(file, 'utf8').then(
    (content) => JSON.parse(content) as Json,
    () => undefined,
  );
  if (before === undefined) {
    await writeFileAtomically(file, encode(`${JSON.stringify(about, null, 1)}\n`));
    return;
  }
  // Earlier versions did not look into the pictures.
  const isOld = isJsonObject(before) && isJsonObject(before.data) && before.data.contents === undefined;
  const different = differences(before, about, isOld ? ['data.contents'] : []);
  if (different.length > 0)
    throw new OptionError(
      `--out: ${folder} holds another ablation; give another folder, or continue it with its settings:\n  ${different.join('\n  ')}`,
    );
}

/** Writes the tables of all results, and prints them. */
export async function conclude(
  folder: string,
  seeds: readonly number[],
  about: { readonly [name: string]: Json },
): Promise<void> {
  const found = await Promise.all(ABLATION.flatMap((step) => seeds.map((seed) => resultIn(folder, step, seed))));
  const results = found.filter((result) => result !== undefined);
  const summary = summarise(results);
  await writeFileAtomically(
    path.join(folder, 'ablation.json'),
    encode(
      `${JSON.stringify({ ...about, protocol: "SAKE's, AP@k divided by min(k, relevant photos)", summary, results }, null, 1)}\n`,
    ),
  );
  await writeFileAtomically(path.join(folder, 'ablation.md'), encode(`${markdownTable(summary)}\n`));
  printText(
    `\n${textTable(...tableOf(summary))}\nMean and standard deviation over seeds; ${path.join(folder, 'ablation.{json,md}')}\n`,
  );
}

function tableOf(summary: readonly Summary[]): [head: string[], rows: string[][]] {
  const names = Object.keys(summary[0]?.metrics ?? {});
  const cell = ({ mean, deviation }: { readonly mean: number; readonly deviation: number }): string =>
    Number.isNaN(deviation) ? mean.toFixed(4) : `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
  return [
    ['', 'seeds', ...names],
    summary.map(({ step, seeds, metrics }) => [
      step,
      String(seeds.length),
      ...names.map((name) => cell(metrics[name])),
    ]),
  ];
}

function markdownTable(summary: readonly Summary[]): string {
  const [head, rows] = tableOf(summary);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
