// npm run docs:commands
// Writes docs/commands: a page for each command of `sketchgrad`, from the declarations of its options.
// test/scripts/command-reference.test.ts compares them.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from '../src/cli/command.ts';
import { COMMANDS } from '../src/cli/command-line.ts';
import { DATA_SOURCES } from '../datasets/sources.ts';
import { describeSources } from '../src/cli/commands/data-how.ts';
import { shownFlag, type Option } from '../src/cli/options/option.ts';

const FOLDER = fileURLToPath(new URL('../docs/commands', import.meta.url));
const MADE_BY = '<!-- Written by npm run docs:commands. -->';

/** What the commands are for, in the order of the page. A command that is missing here is an error. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Search by drawing': ['search', 'serve', 'embed', 'icons'],
  'Index folders': ['index info', 'index load', 'index verify', 'index merge', 'index export', 'index duplicates'],
  'Train and measure': ['train', 'evaluate', 'distill', 'ablate', 'teacher-cost', 'demo'],
  'Data and weights': ['data check', 'data how', 'weights', 'export'],
  'The adapter': ['doctor', 'tune', 'bench'],
};

/** Text of the pages, by file name. */
export function commandPages(): Map<string, string> {
  const pages = new Map<string, string>();
  const grouped = Object.values(GROUPS).flat();
  for (const { name } of COMMANDS)
    if (!grouped.includes(name)) throw new Error(`scripts/command-reference.ts: in which group is ${name}?`);
  const byName = new Map(COMMANDS.map((command) => [command.name, command]));
  const index = [MADE_BY, '', '# Commands', '', INTRODUCTION];
  for (const [title, names] of Object.entries(GROUPS)) {
    index.push('', `## ${title}`, '', '| command | |', '|---|---|');
    for (const name of names) {
      const command = byName.get(name);
      if (command === undefined) throw new Error(`scripts/command-reference.ts: there is no command ${name}`);
      index.push(`| [${name}](${fileOf(name)}) | ${cell(command.summary)} |`);
      pages.set(fileOf(name), pageOf(command));
    }
  }
  pages.set('README.md', `${index.join('\n')}\n`);
  return pages;
}

const INTRODUCTION = `\`npx sketchgrad COMMAND --help\` prints these options too. Every option is also a key of \`--config FILE.json\`; a flag overrides its key. An error ends the
command with exit code 1 and says what to do; \`--debug\` adds where in the program it arose.`;

const fileOf = (name: string): string => `${name.replaceAll(' ', '-')}.md`;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');

function pageOf({ name, summary, options, positionals }: Command): string {
  const words =
    positionals === undefined ? '' : positionals.optional ? ` [${positionals.name}...]` : ` ${positionals.name}...`;
  const lines = [
    MADE_BY,
    '',
    `# sketchgrad ${name}`,
    '',
    `${summary}.`,
    '',
    '```sh',
    `npx sketchgrad ${name}${words} [options]`,
    '```',
  ];
  if (positionals !== undefined) lines.push('', `\`${positionals.name}\`: ${cell(positionals.help)}.`);
  lines.push('', '| option | default | |', '|---|---|---|');
  for (const [key, option] of Object.entries(options))
    lines.push(`| \`${flagOf(key, option)}\` | ${defaultOf(option)} | ${cell(option.help)} |`);
  lines.push('| `--config file` | | A JSON file with any of these options |');
  if (name === 'data how') lines.push('', 'It prints:', '', '```', describeSources(DATA_SOURCES), '```');
  return `${lines.join('\n')}\n`;
}

const flagOf = (key: string, option: Option<unknown>): string =>
  shownFlag(key, option).replace(/[<>]/g, '').replaceAll('|', '\\|');

function defaultOf({ default: value, placeholder, required }: Option<unknown>): string {
  if (required) return 'required';
  if (value === undefined || placeholder === '') return '';
  return `\`${Array.isArray(value) ? value.join(',') : String(value)}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(FOLDER, { recursive: true });
  const pages = commandPages();
  for (const name of await readdir(FOLDER)) if (!pages.has(name)) await rm(path.join(FOLDER, name));
  for (const [name, page] of pages) await writeFile(path.join(FOLDER, name), page);
  console.log(`${pages.size} pages in ${path.relative(process.cwd(), FOLDER)}`);
}
