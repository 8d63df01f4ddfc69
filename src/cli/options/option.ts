/**
 * The options of the command. Each is declared once; the flag, its line of help, the key of the JSON configuration, the
 * check of its value and its TypeScript type all come from that declaration.
 */
import { BoundedError, quote, quoteValue } from '../../formats/untrusted.ts';

/** A flag, a key of a configuration or a value that cannot be used. The message names it and says what can. */
export class OptionError extends BoundedError {
  override readonly name = 'OptionError';
}

export interface Option<T> {
  /** What stands for the value in the help; empty for a switch. */
  readonly placeholder: string;
  readonly help: string;
  readonly default: T;
  readonly required: boolean;
  /** Whether a resumed training may have another value than it began with. */
  readonly changeable: boolean;
  /** Whether a resumed training keeps the value that it began with, where it is changeable and no other is given. */
  readonly remembered: boolean;
  /** The option in whose place it stands, as steps do for epochs. */
  readonly instead?: string;
  /** Checks a value out of a JSON file. */
  check(value: unknown, where: string): T;
  /** Reads what was typed behind the flag. */
  parse(text: string, where: string): T;
}

export type Options = Readonly<Record<string, Option<unknown>>>;
export type OptionValues<Declared extends Options> = {
  readonly [Key in keyof Declared]: Declared[Key] extends Option<infer T> ? T : never;
};

interface Common {
  readonly help: string;
  readonly changeable?: boolean;
  readonly remembered?: boolean;
  readonly instead?: string;
}
interface Bounds {
  readonly minimum?: number;
  /** Excluded minimum. */
  readonly above?: number;
  readonly maximum?: number;
}

/** A text, such as a path. Without a default it may be left out, unless it is required. */
export function text(declared: Common & { readonly placeholder: string; readonly default: string }): Option<string>;
export function text(declared: Common & { readonly placeholder: string; readonly required: true }): Option<string>;
export function text(declared: Common & { readonly placeholder: string }): Option<string | undefined>;
export function text(
  declared: Common & { readonly placeholder: string; readonly default?: string; readonly required?: boolean },
): Option<string | undefined> {
  const check = (value: unknown, where: string): string => {
    if (typeof value === 'string' && value !== '') return value;
    throw new OptionError(`${where}: a text is needed, and it is ${quoteValue(value)}`);
  };
  return {
    required: false,
    changeable: false,
    remembered: false,
    ...declared,
    default: declared.default,
    check,
    parse: check,
  };
}

/** A number, within bounds where they are given. Without a default it may be left out. */
export function number(declared: Common & Bounds & { readonly default: number }): Option<number>;
export function number(declared: Common & Bounds): Option<number | undefined>;
export function number(declared: Common & Bounds & { readonly default?: number }): Option<number | undefined> {
  return numeric(declared, 'a number', Number.isFinite);
}

/** A whole number, within bounds where they are given. Without a default it may be left out. */
export function integer(declared: Common & Bounds & { readonly default: number }): Option<number>;
export function integer(declared: Common & Bounds): Option<number | undefined>;
export function integer(declared: Common & Bounds & { readonly default?: number }): Option<number | undefined> {
  return numeric(declared, 'a whole number', Number.isSafeInteger);
}

/** Whole numbers above 0, separated by commas; in a configuration, a list. */
export function counts(declared: Common & { readonly default: readonly number[] }): Option<readonly number[]> {
  const check = (value: unknown, where: string): readonly number[] => {
    if (Array.isArray(value) && value.length > 0 && value.every((one) => Number.isSafeInteger(one) && one > 0))
      return value as number[];
    throw new OptionError(
      `${where}: whole numbers above 0 are needed, such as ${declared.default.join(',')}, and it is ${quoteValue(value)}`,
    );
  };
  const parse = (typed: string, where: string): readonly number[] => {
    const values = typed.split(',').map((one) => (one.trim() === '' ? NaN : Number(one)));
    return check(values.some(Number.isNaN) ? typed : values, where);
  };
  return { placeholder: 'counts', required: false, changeable: false, remembered: false, ...declared, check, parse };
}

/** Numbers of at least 0 by name, such as drawings=3,icons=1; in a configuration, an object. It may be left out. */
export function numbersByName(declared: Common): Option<Readonly<Record<string, number>> | undefined> {
  const check = (value: unknown, where: string): Readonly<Record<string, number>> => {
    const named = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
    if (
      named.length > 0 &&
      named.every(([name, one]) => name !== '' && typeof one === 'number' && Number.isFinite(one) && one >= 0)
    )
      return value as Record<string, number>;
    throw new OptionError(
      `${where}: names with numbers of at least 0 are needed, such as drawings=3,icons=1, and it is ${quoteValue(value)}`,
    );
  };
  const parse = (typed: string, where: string): Readonly<Record<string, number>> => {
    const named = typed.split(',').map((one) => /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(one.trim()));
    return check(
      named.includes(null)
        ? typed
        : Object.fromEntries(named.map((found) => [(found as string[])[1], Number((found as string[])[2])])),
      where,
    );
  };
  return {
    placeholder: 'name=number,...',
    required: false,
    changeable: false,
    remembered: false,
    ...declared,
    default: undefined,
    check,
    parse,
  };
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** An amount of memory: a number of bytes, or one with a unit, such as 900M, 2G or 1.5GiB. It may be left out. */
export function bytes(declared: Common): Option<number | undefined> {
  const check = (value: unknown, where: string): number => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([KMG]i?|)B?$/.exec(String(value).trim()) ?? [];
    const amount = Math.floor(Number(digits) * BYTE_UNITS[unit]);
    if (Number.isSafeInteger(amount) && amount > 0) return amount;
    throw new OptionError(
      `${where}: a number of bytes is needed, such as 900M, 2G or 1.5GiB, and it is ${quoteValue(value)}`,
    );
  };
  return {
    placeholder: 'bytes',
    required: false,
    changeable: false,
    remembered: false,
    ...declared,
    default: undefined,
    check,
    parse: check,
  };
}

/** One of a few words. Without a default it may be left out. */
export function choice<const Word extends string>(
  words: readonly Word[],
  declared: Common & { readonly default: Word },
): Option<Word>;
export function choice<const Word extends string>(words: readonly Word[], declared: Common): Option<Word | undefined>;
export function choice<const Word extends string>(
  words: readonly Word[],
  declared: Common & { readonly default?: Word },
): Option<Word | undefined> {
  const check = (value: unknown, where: string): Word => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw new OptionError(`${where}: ${quoteValue(value)} is none of ${words.join(', ')}`);
    return found;
  };
  return {
    placeholder: words.join('|'),
    required: false,
    changeable: false,
    remembered: false,
    ...declared,
    default: declared.default,
    check,
    parse: check,
  };
}

/** On or off; off unless said. */
export function toggle(declared: Common): Option<boolean> {
  const check = (value: unknown, where: string): boolean => {
    if (typeof value === 'boolean') return value;
    throw new OptionError(`${where}: true or false is needed, and it is ${quoteValue(value)}`);
  };
  return {
    placeholder: '',
    required: false,
    changeable: false,
    remembered: false,
    ...declared,
    default: false,
    check,
    parse: (word, where) => check(word === 'true', where),
  };
}

function numeric(
  declared: Common & Bounds & { readonly default?: number },
  kind: string,
  isOfKind: (value: number) => boolean,
): Option<number | undefined> {
  const { minimum = -Infinity, above = -Infinity, maximum = Infinity } = declared;
  const bounds = [
    minimum > -Infinity && `at least ${minimum}`,
    above > -Infinity && `above ${above}`,
    maximum < Infinity && `at most ${maximum}`,
  ].filter(Boolean);
  const check = (value: unknown, where: string): number => {
    if (typeof value === 'number' && isOfKind(value) && value >= minimum && value > above && value <= maximum)
      return value;
    throw new OptionError(`${where}: ${[kind, ...bounds].join(', ')} is needed, and it is ${quoteValue(value)}`);
  };
  const parse = (typed: string, where: string): number =>
    check(typed.trim() === '' || Number.isNaN(Number(typed)) ? typed : Number(typed), where);
  return {
    placeholder: kind === 'a number' ? 'number' : 'count',
    required: false,
    changeable: false,
    remembered: false,
    ...declared,
    default: declared.default,
    check,
    parse,
  };
}

/** `classesPerBatch` is the flag `--classes-per-batch` and the key `classes-per-batch` of a configuration. */
export const optionName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The line of help, with the default. */
export function describeOption(option: Option<unknown>): string {
  if (option.required) return `${option.help} (required)`;
  if (option.placeholder === '' || option.default === undefined) return option.help;
  return `${option.help} (default: ${String(option.default)})`;
}

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
      (other) => flags[other] !== undefined && (options[other].instead === key || options[key].instead === other),
    );
  return Object.fromEntries(Object.entries(configured).filter(([key]) => !isReplaced(key)));
}

/**
 * Puts values together: those given first win, and defaults stand last. @throws OptionError where a required one is
 * missing
 */
export function resolveOptions<Declared extends Options>(
  options: Declared,
  ...sources: readonly Readonly<Record<string, unknown>>[]
): OptionValues<Declared> {
  const values = Object.entries(options).map(([key, option]) => {
    const value = sources.find((source) => source[key] !== undefined)?.[key] ?? option.default;
    if (option.required && value === undefined) throw new OptionError(`--${optionName(key)} is needed: ${option.help}`);
    return [key, value];
  });
  return Object.fromEntries(values) as OptionValues<Declared>;
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
