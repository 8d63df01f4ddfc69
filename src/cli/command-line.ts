import { Command as Parser, CommanderError, Option as ParserOption } from 'commander';
import { packageVersion } from '../platform/node/package-files.ts';
import { ablateCommand } from './commands/ablate.ts';
import type { Command } from './command.ts';
import { readJsonFile, besideFlags, readConfiguration } from './options/configuration.ts';
import { benchCommand } from './commands/bench.ts';
import { dataCheckCommand } from './commands/data-check.ts';
import { dataHowCommand } from './commands/data-how.ts';
import { demoCommand } from './commands/demo.ts';
import { distillCommand } from './commands/distill.ts';
import { doctorCommand } from './commands/doctor.ts';
import { embedCommand } from './commands/embed.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { exportCommand } from './commands/export.ts';
import { iconsCommand } from './commands/icons.ts';
import { indexDuplicatesCommand } from './commands/index-duplicates.ts';
import { indexExportCommand } from './commands/index-export.ts';
import { indexInfoCommand } from './commands/index-info.ts';
import { indexLoadCommand } from './commands/index-load.ts';
import { indexMergeCommand } from './commands/index-merge.ts';
import { indexVerifyCommand } from './commands/index-verify.ts';
import { describeOption, optionName, resolveOptions, type Option } from './options/option.ts';
import { printableLines } from './display/printable.ts';
import { searchCommand } from './commands/search.ts';
import { serveCommand } from './commands/serve.ts';
import { teacherCostCommand } from './commands/teacher-cost.ts';
import { trainCommand } from './commands/train.ts';
import { tuneCommand } from './commands/tune.ts';
import { weightsCommand } from './commands/weights.ts';

/** The words after `sketchgrad`. */
export const COMMANDS = [
  trainCommand,
  evaluateCommand,
  embedCommand,
  indexInfoCommand,
  indexVerifyCommand,
  indexLoadCommand,
  indexMergeCommand,
  indexExportCommand,
  indexDuplicatesCommand,
  iconsCommand,
  searchCommand,
  serveCommand,
  distillCommand,
  ablateCommand,
  exportCommand,
  weightsCommand,
  dataCheckCommand,
  dataHowCommand,
  tuneCommand,
  doctorCommand,
  benchCommand,
  teacherCostCommand,
  demoCommand,
] as readonly Command[];

/**
 * Runs the command line.
 * @param words what was typed behind `sketchgrad`
 * @param commands that there are
 * @returns the exit code; what went wrong has been said on stderr
 */
export async function runCommandLine(
  words: readonly string[],
  commands: readonly Command[] = COMMANDS,
): Promise<number> {
  let debug = words.includes('--debug');
  const commandParser = newParser(commands, (values) => (debug ||= values.debug === true));
  try {
    await commandParser.parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has said what was wrong itself; help and version arrive here too, with exit code 0.
    if (error instanceof CommanderError) return error.exitCode;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `sketchgrad: ${printableLines(debug && error instanceof Error ? (error.stack ?? message) : message)}\n`,
    );
    return 1;
  }
}

/** @param onOptions hears of a command's options before it runs */
function newParser(
  commands: readonly Command[],
  onOptions: (values: Readonly<Record<string, unknown>>) => void,
): Parser {
  const parser = new Parser('sketchgrad')
    .description('Trains a network to find pictures by sketch, and searches with it.')
    .version(packageVersion())
    .configureOutput({ getOutHelpWidth: () => Math.min(process.stdout.columns || 100, 120) })
    .exitOverride();
  for (const command of commands) register(parser, command, onOptions);
  return parser;
}

function register(
  parser: Parser,
  { name, summary, options, alsoConfigured, positionals, run }: Command,
  onOptions: (values: Readonly<Record<string, unknown>>) => void,
): void {
  const words = name.split(' ');
  const sub = parent(parser, words.slice(0, -1))
    .command(words[words.length - 1])
    .description(summary);
  for (const [key, option] of Object.entries(options)) {
    const flag = `--${optionName(key)}`;
    const declared = new ParserOption(
      option.placeholder === '' ? flag : `${flag} <${option.placeholder}>`,
      describeOption(option),
    );
    if (option.placeholder !== '') {
      sub.addOption(declared.argParser((typed: string, before: unknown) => valueOf(option, typed, flag, before)));
      continue;
    }
    // A switch that is on in the configuration can be put off again. The help shows the flag that changes the default.
    const off = new ParserOption(`--no-${optionName(key)}`, describeOption(option));
    sub.addOption(option.default === true ? declared.hideHelp() : declared);
    sub.addOption(option.default === true ? off : off.hideHelp());
  }
  sub.option(
    '--config <file>',
    'A JSON file with any of these options, as {"name of the flag": value}; flags given besides win',
  );
  if (positionals !== undefined)
    sub.argument(positionals.optional ? `[${positionals.name}...]` : `<${positionals.name}...>`, positionals.help);
  sub.action(async (...parsed: unknown[]) => {
    const { config, ...flags } = sub.opts<Record<string, unknown> & { config?: string }>();
    const configured =
      config === undefined ? {} : readConfiguration(options, await readJsonFile(config), config, alsoConfigured);
    const given = { ...besideFlags(options, configured, flags), ...flags };
    const values = resolveOptions(options, given);
    onOptions(values);
    await run(values, { given, positionals: positionals === undefined ? [] : (parsed[0] as string[]) });
  });
}

/** What was typed behind a flag, after what was typed behind the same flag before. */
function valueOf(option: Option<unknown>, typed: string, flag: string, before: unknown): unknown {
  const value = option.parse(typed, flag);
  return option.repeats === true && Array.isArray(before) ? [...before, ...(value as unknown[])] : value;
}

/** What commands of two words begin with; it does nothing by itself. */
const SUBJECTS: Readonly<Record<string, string>> = {
  data: 'Data sets: check one, or see how to get and lay out the published ones',
  index: 'Index folders: what they hold, whether they are whole, merge those of shards, write them for other programs',
};

function parent(parser: Parser, words: readonly string[]): Parser {
  return words.reduce(
    (above, word) =>
      above.commands.find((command) => command.name() === word) ?? above.command(word).description(SUBJECTS[word]),
    parser,
  );
}
