import type { DataSource } from '../../../datasets/layouts/index.ts';
import { defineCommand } from '../command.ts';
import { JSON_OPTION, SHARED_OPTIONS } from '../options/shared.ts';
import { printText } from '../display/progress.ts';

export const DATA_HOW_OPTIONS = {
  json: JSON_OPTION,
  debug: SHARED_OPTIONS.debug,
} as const;

export const dataHowCommand = defineCommand({
  name: 'data how',
  summary: 'Say where the data sets are published, their terms, and their layout. Downloads nothing',
  options: DATA_HOW_OPTIONS,
  async run({ json }) {
    const { DATA_SOURCES } = await import('../../../datasets/sources.ts');
    printText(`${json ? JSON.stringify(DATA_SOURCES, null, 1) : describeSources(DATA_SOURCES)}\n`);
  },
});

/** What the command prints. */
export const describeSources = (sources: readonly DataSource[]): string =>
  `${sources.map(describe).join('\n\n')}\n\n${CLOSING}`;

const CLOSING = [
  'Nothing is downloaded: get what you need yourself, under the terms of those who publish it.',
  'Give --data the folder that is called <root> here, the one above it or one in it; then see whether all is there with',
  '  sketchgrad data check <folder>',
].join('\n');

function describe({ set, title, contents, places, terms, layouts, splits }: DataSource): string {
  const lines = [title, ...contents.map((line) => `  ${line}`)];
  for (const { what, where } of places) lines.push(`  ${what}: ${where}`);
  for (const line of terms) lines.push(`  terms, ${line}`);
  for (const { name, tree } of layouts) lines.push(`  layout, ${name}:`, ...tree.map((line) => `      ${line}`));
  if (set === 'search') lines.push('  --data search --quickdraw <root>; its classes are split already');
  else
    lines.push(
      splits.length > 0
        ? `  --split ${splits.join(' or ')}`
        : '  --unseen with a list or a share of the classes, or --split with a published name or a JSON file',
    );
  return lines.join('\n');
}
