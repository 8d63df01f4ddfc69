import type { CheckReport, SplitReport } from '../../../datasets/check.ts';
import type { Archive } from '../../../datasets/layouts/index.ts';
import type { Split } from '../../../datasets/splits.ts';
import { defineCommand } from '../command.ts';
import { JSON_OPTION, PER_CLASS_OPTION, SHARED_OPTIONS } from '../options/shared.ts';
import { DATA_OPTIONS } from '../options/data.ts';
import { toggle } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { printText, Progress } from '../display/progress.ts';
import { textTable } from '../display/text-table.ts';
import { BoundedError } from '../../formats/untrusted.ts';

export const DATA_CHECK_OPTIONS = {
  split: DATA_OPTIONS.split,
  drawings: DATA_OPTIONS.drawings,
  perClass: PER_CLASS_OPTION,
  strict: toggle({
    help: 'Fail on warnings as well: copies, and numbers of images that differ from the published ones',
  }),
  json: JSON_OPTION,
  debug: SHARED_OPTIONS.debug,
} as const;

/** A data set with problems. They have been told on stdout. */
export class DataCheckError extends BoundedError {
  override readonly name = 'DataCheckError';
}

export const dataCheckCommand = defineCommand({
  name: 'data check',
  summary: 'Check every file of a data set: layout, counts, missing, damaged and duplicate files',
  options: DATA_CHECK_OPTIONS,
  positionals: { name: 'folder', help: 'The folder of a data set, or the one above or below it' },
  async run({ split, drawings, perClass, strict, json }, { positionals }) {
    if (positionals.length > 1) throw new OptionError(`give one folder at a time: ${positionals.join(', ')}`);
    const [folder] = positionals;
    const { checkArchive } = await import('../../../datasets/check.ts');
    const { describeProblem } = await import('../../../datasets/problems.ts');
    const { archive, splits } = await archiveAndSplits(folder, split);
    const progress = new Progress('images');
    const report = await checkArchive(archive, splits, {
      drawingsPerClass: drawings,
      onProgress: (done, total) => progress.update(done, total),
    }).finally(() => progress.stop());

    const errors = report.problems.filter(({ severity }) => severity === 'error');
    const warnings = report.problems.filter(({ severity }) => severity === 'warning');
    if (json) printText(`${JSON.stringify(report, null, 1)}\n`);
    else {
      const told = [...errors, ...warnings].map((problem) => `${problem.severity}: ${describeProblem(problem)}`);
      printText(
        `${[reportText(report, perClass), ...told].join('\n')}\n${count(report.images, 'image')} read and decoded, ${(report.bytes / 1e6).toFixed(1)} MB: ${count(errors.length, 'error')}, ${count(warnings.length, 'warning')}\n`,
      );
    }
    if (errors.length > 0)
      throw new DataCheckError(`${report.root}: ${count(errors.length, 'error')}; with them the data cannot be used`);
    if (strict && warnings.length > 0)
      throw new DataCheckError(`${report.root}: ${count(warnings.length, 'warning')}, and --strict was given`);
  },
});

/** The archive, and the split that was named, else all published ones of the set, else one with every class. */
async function archiveAndSplits(
  folder: string,
  named: string | undefined,
): Promise<{ readonly archive: Archive; readonly splits: readonly Split[] }> {
  const { recognize } = await import('../../../datasets/layouts/index.ts');
  const { foldersIn } = await import('../../../datasets/layouts/folders.ts');
  const { requireSameSet } = await import('../../../datasets/published.ts');
  const { publishedSplits, readSplit } = await import('../../../datasets/splits.ts');
  const split = named === undefined ? undefined : await readSplit(named);
  const archive = await recognize(folder, split?.set);
  if (archive === undefined)
    throw new OptionError(`${folder}: no data set is recognized there; sketchgrad data how shows how each is laid out`);
  if (split !== undefined) {
    requireSameSet(archive, split);
    return { archive, splits: [split] };
  }
  if (archive.set !== undefined) return { archive, splits: await publishedSplits(archive.set) };
  const names = (await Promise.all(archive.photoFolders.map(foldersIn))).flat();
  return {
    archive,
    splits: [{ name: 'all classes', title: 'All classes', source: 'the photo folders', seen: names, unseen: [] }],
  };
}

function reportText(report: CheckReport, perClass: boolean): string {
  const lines = [`${report.root}: ${report.layout}${report.title === undefined ? '' : ` of ${report.title}`}`];
  for (const split of report.splits) {
    lines.push('', `${split.split.title} (${split.split.name}), by ${split.evidence}`, partsTable(split));
    if (split.leftOut > 0) lines.push(`${count(split.leftOut, 'class')} in the archive and not in the split`);
    if (perClass) lines.push('', classTable(split));
  }
  return `${lines.join('\n')}\n`;
}

function partsTable({ split: { published }, classes, images }: SplitReport): string {
  const seen = classes.filter(({ part }) => part === 'seen');
  const unseen = classes.filter(({ part }) => part === 'unseen');
  const row = (name: string, perClass: readonly number[], publishedCount?: number): string[] => {
    const total = perClass.reduce((sum, one) => sum + one, 0);
    return [
      name,
      String(perClass.filter((one) => one > 0).length),
      String(total),
      range(perClass),
      publishedCount === undefined ? '' : String(publishedCount),
    ];
  };
  const rows = [
    row(
      'sketches to train on',
      seen.map(({ sketches, heldOut }) => sketches - heldOut),
    ),
    row(
      'sketches held out',
      seen.map(({ heldOut }) => heldOut),
    ),
    row(
      'photos to train on',
      seen.map(({ photos }) => photos),
    ),
  ];
  if (unseen.length > 0 || images.queries > 0)
    rows.push(
      row(
        'queries, unseen',
        unseen.map(({ sketches }) => sketches),
        published?.queries,
      ),
      row(
        'gallery, unseen',
        unseen.map(({ photos }) => photos),
        published?.gallery,
      ),
    );
  return textTable(['', 'classes', 'images', 'in a class', 'published'], rows);
}

function classTable({ classes }: SplitReport): string {
  return textTable(
    ['class', 'part', 'sketches', 'held out', 'photos'],
    classes.map(({ name, part, sketches, heldOut, photos }) => [
      name,
      part,
      String(sketches),
      String(heldOut),
      String(photos),
    ]),
    { left: 2 },
  );
}

function range(values: readonly number[]): string {
  const [low, high] = values.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Infinity, 0],
  );
  return values.length === 0 ? '' : low === high ? String(low) : `${low} to ${high}`;
}

const PLURALS: Readonly<Record<string, string>> = { class: 'classes' };
const count = (number: number, noun: string): string =>
  `${number} ${number === 1 ? noun : (PLURALS[noun] ?? `${noun}s`)}`;
