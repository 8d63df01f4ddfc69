/**
 * The options of the command. Each is declared once; the flag, its line of help, the key of the JSON configuration, the
 * check of its value and its TypeScript type all come from that declaration.
 */
import { BoundedError } from '../../formats/untrusted.ts';

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
  /** The option that it replaces, as steps replace epochs. */
  readonly replaces?: string;
  /** The setting of a training's recipe that it is; see setting.ts. */
  readonly setting?: RecipeSetting;
  /** Checks a value out of a JSON file. */
  check(value: unknown, where: string): T;
  /** Whether the flag may be given several times; its values, which are lists, are then put together. */
  readonly repeats?: true;
  /** Reads what was typed behind the flag. */
  parse(text: string, where: string): T;
}

/** A setting of a training's recipe, and how its value follows from the options. */
export interface RecipeSetting {
  /** Its place in the recipe, such as `losses.margin`. */
  readonly path: string;
  /**
   * The setting's value; undefined leaves it out.
   * @param value of the option
   * @param values of all options of the command
   */
  valueOf(value: unknown, values: Readonly<Record<string, unknown>>): unknown;
}

export type Options = Readonly<Record<string, Option<unknown>>>;
export type OptionValues<Declared extends Options> = {
  readonly [Key in keyof Declared]: Declared[Key] extends Option<infer T> ? T : never;
};

/** `classesPerBatch` is the flag `--classes-per-batch` and the key `classes-per-batch` of a configuration. */
export const optionName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The flag that the help shows: of a switch that is on by default, the one that turns it off. */
export const shownFlag = (key: string, { placeholder, default: value }: Option<unknown>): string =>
  placeholder === '' ? `--${value === true ? 'no-' : ''}${optionName(key)}` : `--${optionName(key)} <${placeholder}>`;

/** The line of help, with the default. */
export function describeOption(option: Option<unknown>): string {
  if (option.required) return `${option.help} (required)`;
  if (option.placeholder === '' || option.default === undefined) return option.help;
  return `${option.help} (default: ${String(option.default)})`;
}

/**
 * Puts values together: those given first win, and defaults are last. @throws OptionError where a required one is
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
