/** The choice of the unseen classes of a folder. */
import { readFile } from 'node:fs/promises';
import { classKey, sharedClasses } from '../src/data/class-names.ts';
import { DatasetError } from '../src/data/dataset.ts';
import { decodeText } from '../src/formats/text.ts';
import { RandomStream, STREAM } from '../src/random/philox.ts';
import { requireFraction } from './hold-out.ts';

/**
 * Which classes are unseen: these; the lines of this text file; all others than these; or this share of all, drawn by
 * the seed.
 */
export type UnseenChoice =
  | { readonly classes: readonly string[] }
  | { readonly listFile: string }
  /** All but the classes that a model was trained on. */
  | { readonly allBut: readonly string[] }
  | { readonly fraction: number };

/** The unseen ones of a folder's classes. @throws DatasetError where the choice does not fit them */
export async function chooseUnseen(
  root: string,
  classNames: readonly string[],
  choice: UnseenChoice,
  seed: number,
  trainable: boolean,
): Promise<string[]> {
  if ('allBut' in choice) {
    const known = new Set(sharedClasses(classNames, choice.allBut));
    const others = classNames.filter((name) => !known.has(name));
    if (others.length === 0)
      throw new DatasetError(`the model was trained on every class of ${root}; add classes that it does not know`);
    return others;
  }
  if ('fraction' in choice) {
    // Who only measures may measure on all.
    if (trainable || choice.fraction !== 1) requireFraction('the fraction of unseen classes', choice.fraction);
    const count = Math.round(classNames.length * choice.fraction);
    const drawn = new RandomStream(seed, STREAM.split).shuffle([...classNames]).slice(0, count);
    return drawn.sort();
  }
  const listed = 'classes' in choice ? choice.classes : await linesOf(choice.listFile);
  if (listed.length === 0)
    throw new DatasetError(`no unseen class is named; name classes of ${root}, or give a share of all`);
  const byKey = new Map(classNames.map((name) => [classKey(name), name]));
  const unknown = listed.filter((name) => !byKey.has(classKey(name)));
  if (unknown.length > 0) {
    throw new DatasetError(
      `unseen classes that ${root} does not have: ${unknown.join(', ')}; correct the list. Its classes are: ${classNames.join(', ')}`,
    );
  }
  return [...new Set(listed.map((name) => byKey.get(classKey(name)) as string))].sort();
}

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path)
    .then(decodeText)
    .catch((cause: Error) => {
      throw new DatasetError(
        `the list of unseen classes cannot be read: ${cause.message}; give a text file with one class a line`,
        { cause },
      );
    });
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0)
    throw new DatasetError(`the list of unseen classes ${path} is empty; give a text file with one class a line`);
  return lines;
}
