/** Options out of a JSON file. */
import { readFile } from 'node:fs/promises';
import { decodeText } from '../../formats/text.ts';
import { parseJson, quote } from '../../formats/untrusted.ts';
import { OptionError, optionName, type Options } from './option.ts';

/** The key of a configuration under which it says which of its choices are reconstructions, each with its evidence. */
const RECONSTRUCTED = 'reconstructed';

/**
 * Checks the object out of a configuration file; each key is an option's name. Besides, `reconstructed` may hold an
 * object that gives for some of the options the evidence of their values, where the source of a recipe leaves them
 * open: it is for readers, and is checked so that it speaks of options that are there.
 * @param where the file's name, for errors
 * @param others options of other commands that may be in it, which are checked and left
 * @throws OptionError for an unknown key, with the one that is probably meant, and for a value that the option does not
 * take
 */
export function readConfiguration(
  options: Options,
  content: unknown,
  where: string,
  others: Options = {},
): Record<string, unknown> {
  if (!isObject(content))
    throw new OptionError(`${where} must hold one JSON object, whose keys are the flags without their dashes`);
  const all = { ...others, ...options };
  const keys = new Map(Object.keys(all).map((key) => [optionName(key), key]));
  const values: Record<string, unknown> = {};
  const { [RECONSTRUCTED]: reconstructed = {}, ...configured } = content;
  for (const [name, value] of Object.entries(configured)) {
    const key = keys.get(name);
    if (key === undefined)
      throw new OptionError(
        `${where}: there is no option ${quote(name)}; did you mean "${nearest(name, [...keys.keys()])}"?`,
      );
    const checked = all[key].check(value, `${where}, ${name}`);
    if (key in options) values[key] = checked;
  }
  if (!isObject(reconstructed))
    throw new OptionError(
      `${where}, ${RECONSTRUCTED}: an object is needed, from names of options to the evidence of their values`,
    );
  for (const [name, evidence] of Object.entries(reconstructed)) {
    if (!(name in configured))
      throw new OptionError(
        `${where}, ${RECONSTRUCTED}: ${quote(name)} is none of the options that the file gives; did you mean "${nearest(name, Object.keys(configured))}"?`,
      );
    if (typeof evidence !== 'string' || evidence === '')
      throw new OptionError(`${where}, ${RECONSTRUCTED}, ${name}: the evidence of its value is needed, as a text`);
  }
  return values;
}

/** Longer than any option's name. */
const LONGEST_WORD = 64;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What of a configuration holds beside flags: not the alternative of a flag that was given, such as the epochs where
 * steps were.
 */
export function besideFlags(
  options: Options,
  configured: Readonly<Record<string, unknown>>,
  flags: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const isReplaced = (key: string): boolean =>
    Object.keys(options).some(
      (other) => flags[other] !== undefined && (options[other].replaces === key || options[key].replaces === other),
    );
  return Object.fromEntries(Object.entries(configured).filter(([key]) => !isReplaced(key)));
}

/** The word with the fewest letters to change (Levenshtein's distance). */
export function nearest(word: string, words: readonly string[]): string {
  // A word out of a file may have a megabyte.
  const asked = word.slice(0, LONGEST_WORD).toLowerCase();
  const distances = words.map((other) => editDistance(asked, other));
  return words[distances.indexOf(Math.min(...distances))];
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length];
}

/** Reads a JSON file of a user's, given by a flag. @throws OptionError where it is missing or no JSON */
export async function readJsonFile(path: string, flag = '--config'): Promise<unknown> {
  let content: string;
  try {
    content = decodeText(await readFile(path));
  } catch (cause) {
    throw new OptionError(`${flag}: ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return readJsonText(content, path);
}

/** @throws OptionError where the text is no JSON */
export function readJsonText(content: string, path: string): unknown {
  return parseJson(content, (problem, cause) => {
    throw new OptionError(`${path} is ${problem}`, { cause });
  });
}
