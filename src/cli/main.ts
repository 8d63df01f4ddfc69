import { readFileSync } from 'node:fs';
import { Command as Parser, CommanderError, Option as ParserOption } from 'commander';
import { releaseGpu } from '../platform/node/adapter.ts';
import { readJsonFile, type Command } from './command.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { embedCommand } from './embed.ts';
import { evaluateCommand } from './evaluate.ts';
import { describeOption, optionName, readConfiguration, resolveOptions } from './options.ts';
import { searchCommand } from './search.ts';
import { trainCommand } from './train.ts';

const commands: readonly Command[] = [trainCommand, evaluateCommand, embedCommand, searchCommand, doctorCommand, demoCommand] as readonly Command[];

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
const parser = new Parser('sketchgrad')
  .description('Trains a network to find pictures by sketch, and searches with it.')
  .version(version)
  .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 100, 120) })
  .exitOverride();
for (const command of commands) register(command);

try {
  await parser.parseAsync();
} catch (error) {
  report(error);
} finally {
  releaseGpu();
}

function register(command: Command): void {
  const { name, summary, options, positionals } = command;
  const sub = parser.command(name).description(summary);
  for (const [key, option] of Object.entries(options)) {
    const flag = `--${optionName(key)}`;
    const declared = new ParserOption(option.placeholder === '' ? flag : `${flag} <${option.placeholder}>`, describeOption(option));
    sub.addOption(option.placeholder === '' ? declared : declared.argParser((typed: string) => option.parse(typed, flag)));
    // A switch that is on in the configuration can be put off again.
    if (option.placeholder === '') sub.addOption(new ParserOption(`--no-${optionName(key)}`).hideHelp());
  }
  sub.option('--config <file>', 'A JSON file with any of these options, as {"name of the flag": value}; flags given besides win');
  if (positionals !== undefined) sub.argument(`<${positionals.name}...>`, positionals.help);
  sub.action(async (...parsed: unknown[]) => {
    const { config, ...flags } = sub.opts<Record<string, unknown> & { config?: string }>();
    const configured = config === undefined ? {} : readConfiguration(options, await readJsonFile(config), config);
    const given = { ...configured, ...flags };
    await command.run(resolveOptions(options, given), { given, positionals: positionals === undefined ? [] : (parsed[0] as string[]) });
  });
}

function report(error: unknown): void {
  // Commander has said what was wrong itself; help and version arrive here too, with exit code 0.
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode;
    return;
  }
  process.exitCode = 1;
  const message = error instanceof Error ? error.message : String(error);
  const debug = process.argv.includes('--debug') && error instanceof Error;
  process.stderr.write(`sketchgrad: ${debug ? error.stack : message}\n`);
}
