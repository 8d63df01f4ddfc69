import { printable } from './printable.ts';

/**
 * A table for the terminal: columns as wide as their content, the first to the left and the others to the right, a rule
 * under the head.
 */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { left = 1 }: { readonly left?: number } = {},
): string {
  rows = rows.map((row) => row.map(printable));
  const widths = head.map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, [...row[column]].length), [...head[column]].length),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < left ? cell + ' '.repeat(widths[column] - [...cell].length) : cell.padStart(widths[column]),
      )
      .join('   ')
      .trimEnd();
  return [
    line(head),
    '─'.repeat(widths.reduce((sum, width) => sum + width, 3 * (widths.length - 1))),
    ...rows.map(line),
  ].join('\n');
}
