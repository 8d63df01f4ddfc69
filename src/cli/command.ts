import { readFile } from 'node:fs/promises';
import { decodeText } from '../formats/text.ts';
import { parseJson } from '../formats/untrusted.ts';
import { ADAPTER_CHOICES } from '../platform/adapter.ts';
import { choice, OptionError, toggle, type Options, type OptionValues } from './options/option.ts';

/** What a command is told besides its options. */
export interface Invocation {
  /** Arguments that are no flags. */
  readonly positionals: readonly string[];
  /** The options that the user gave, by flag or configuration, without defaults. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** What follows `sketchgrad`. */
export interface Command<Declared extends Options = Options> {
  /** A word, or two where several commands have a subject in common. */
  readonly name: string;
  readonly summary: string;
  readonly options: Declared;
  /**
   * Options of another command that a configuration may hold besides, so that one file does for both. They are checked
   * and left.
   */
  readonly alsoConfigured?: Options;
  /** Name and meaning of the arguments that are no flags, at least one of them is required unless they are optional. */
  readonly positionals?: { readonly name: string; readonly help: string; readonly optional?: true };
  run(options: OptionValues<Declared>, invocation: Invocation): Promise<void>;
}

/** Lets `run` have the types of the declared options. */
export function defineCommand<const Declared extends Options>(command: Command<Declared>): Command<Declared> {
  return command;
}

/** Options of every command that computes. */
export const SHARED_OPTIONS = {
  adapter: choice(ADAPTER_CHOICES, {
    default: 'auto',
    changeable: true,
    help: 'What computes: auto takes a hardware GPU, else an installed software driver, else SwiftShader from npm',
  }),
  debug: toggle({ help: 'Show where in the program an error arose', changeable: true }),
} as const;

/** Reads a JSON file of a user's. @throws OptionError where it is missing or no JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  let content: string;
  try {
    content = decodeText(await readFile(path));
  } catch (cause) {
    throw new OptionError(`--config: ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return readJsonText(content, path);
}

/** @throws OptionError where the text is no JSON */
export function readJsonText(content: string, path: string): unknown {
  return parseJson(content, (problem, cause) => {
    throw new OptionError(`${path} is ${problem}`, { cause });
  });
}
