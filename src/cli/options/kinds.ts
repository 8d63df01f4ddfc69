/** The kinds of options: each function declares one. */
import { quoteValue } from '../../formats/untrusted.ts';
import { OptionError, type Option } from './option.ts';

interface Common {
  readonly help: string;
  readonly changeable?: boolean;
  readonly remembered?: boolean;
  readonly replaces?: string;
}
interface Bounds {
  readonly minimum?: number;
  /** Excluded minimum. */
  readonly above?: number;
  readonly maximum?: number;
}

/** What an option has besides what its kind decides. Without a default it may be left out, unless it is required. */
interface Declared<T> extends Common {
  readonly placeholder: string;
  readonly required?: boolean;
  readonly default?: T;
}

/** @param parse reads what was typed; by default it is checked as a value out of a JSON file is */
function declare<T>(
  declared: Declared<T> & { readonly default: T },
  check: Option<T>['check'],
  parse?: Option<T>['parse'],
): Option<T>;
function declare<T>(
  declared: Declared<T>,
  check: Option<T>['check'],
  parse?: Option<T>['parse'],
): Option<T | undefined>;
function declare<T>(
  declared: Declared<T>,
  check: Option<T>['check'],
  parse: Option<T>['parse'] = check,
): Option<T | undefined> {
  return {
    required: false,
    changeable: false,
    remembered: false,
    ...declared,
    default: declared.default,
    check,
    parse,
  };
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
  return declare(declared, check);
}

/** Texts, one behind each time that the flag is given; in a configuration, a list. It may be left out. */
export function texts(declared: Common & { readonly placeholder: string }): Option<readonly string[] | undefined> {
  const check = (value: unknown, where: string): readonly string[] => {
    if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string' && one !== ''))
      return value as string[];
    throw new OptionError(`${where}: a list of texts is needed, and it is ${quoteValue(value)}`);
  };
  return { ...declare(declared, check, (typed, where) => check([typed], where)), repeats: true };
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
  return declare({ placeholder: 'counts', ...declared }, check, parse);
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
  return declare({ placeholder: 'name=number,...', ...declared }, check, parse);
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
  return declare({ placeholder: 'bytes', ...declared }, check);
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
  return declare({ placeholder: words.join('|'), ...declared }, check);
}

/** On or off; off unless said. One that is on by default is shown in the help as the flag that turns it off. */
export function toggle(declared: Common & { readonly default?: boolean }): Option<boolean> {
  const check = (value: unknown, where: string): boolean => {
    if (typeof value === 'boolean') return value;
    throw new OptionError(`${where}: true or false is needed, and it is ${quoteValue(value)}`);
  };
  return declare({ placeholder: '', default: false, ...declared }, check, (word, where) =>
    check(word === 'true', where),
  );
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
  return declare({ placeholder: kind === 'a number' ? 'number' : 'count', ...declared }, check, parse);
}
