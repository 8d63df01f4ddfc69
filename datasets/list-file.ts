/** List files of the SAKE archive: one line an image or class, `relative/path<blank>class id` (docs/data.md, Layouts). */
import { readFile } from 'node:fs/promises';
import { decodeText } from '../src/formats/text.ts';
import type { Problem } from './problems.ts';

export interface ListEntry {
  /** All before the line's last blank: paths and class names hold blanks themselves. */
  readonly name: string;
  readonly id: number;
  /** Counted from 1. */
  readonly line: number;
}

export interface List {
  readonly file: string;
  readonly entries: readonly ListEntry[];
  readonly problems: readonly Problem[];
}

/** Reads a list; a file that is missing is a problem, not an exception. */
export async function readList(file: string): Promise<List> {
  try {
    return parseList(decodeText(await readFile(file)), file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const problem: Problem =
      code === 'ENOENT'
        ? { kind: 'missing', severity: 'error', file, message: 'the list is missing' }
        : { kind: 'unreadable', severity: 'error', file, message: `the list cannot be read: ${message}` };
    return { file, entries: [], problems: [problem] };
  }
}

/** Lines end with LF or CRLF, and a byte order mark may come first; empty lines are ignored. */
export function parseList(text: string, file: string): List {
  const entries: ListEntry[] = [];
  const problems: Problem[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const written = raw.trimEnd();
    if (written === '') continue;
    const line = index + 1;
    const blank = Math.max(written.lastIndexOf(' '), written.lastIndexOf('\t'));
    const name = written.slice(0, Math.max(0, blank));
    const id = written.slice(blank + 1);
    if (name.trim() === '')
      problems.push({
        kind: 'malformed',
        severity: 'error',
        file,
        line,
        message: `"${written}" is not a name, a blank and a class id`,
      });
    else if (!/^\d{1,9}$/.test(id))
      problems.push({
        kind: 'malformed',
        severity: 'error',
        file,
        line,
        message: `"${id}" behind the last blank is no class id`,
      });
    else entries.push({ name, id: Number(id), line });
  }
  if (entries.length === 0 && problems.length === 0)
    problems.push({ kind: 'empty', severity: 'error', file, message: 'the list is empty' });
  return { file, entries, problems };
}
