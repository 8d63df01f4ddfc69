import type { Options, OptionValues } from './options/option.ts';

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
