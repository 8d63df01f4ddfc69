/** Filters as conditions of SQL, in words that PostgreSQL and LanceDB (DataFusion) share. */
import type { PictureFilter } from '../retrieval/picture-filter.ts';
import { folderPrefix } from './store.ts';

/**
 * @param value makes a value part of the statement: a literal, or a parameter
 * @returns the conditions, joined by AND; empty where every row passes
 */
export function sqlConditions(
  { folders = [], labels = [], after, before, minSize, maxSize }: PictureFilter,
  value: (value: string | number) => string,
): string {
  const bounds: readonly [column: string, operator: string, bound: number | undefined][] = [
    // 0 means that the source of the picture did not tell.
    ['time', '>', after === undefined && before === undefined ? undefined : 0],
    ['size', '>', minSize === undefined && maxSize === undefined ? undefined : 0],
    ['time', '>=', after],
    ['time', '<', before],
    ['size', '>=', minSize],
    ['size', '<=', maxSize],
  ];
  return [
    anyOf(folders.map((folder) => `starts_with(path, ${value(folderPrefix(folder))})`)),
    anyOf(labels.map((label) => `label = ${value(label)}`)),
    ...bounds.map(([column, operator, bound]) => (bound === undefined ? '' : `${column} ${operator} ${value(bound)}`)),
  ]
    .filter(Boolean)
    .join(' AND ');
}

const anyOf = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : `(${conditions.join(' OR ')})`;
