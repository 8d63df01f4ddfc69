/**
 * What is wrong with a data set on disk: said with file and line, collected, and thrown where it would change a result.
 */
import { DatasetError } from '../src/data/dataset.ts';

/** What can be wrong in a data set. */
export type ProblemKind =
  | 'missing'
  | 'unreadable'
  | 'duplicate'
  | 'leak'
  /** The line, for list files and drawings. */
  | 'wrong id'
  | 'malformed'
  | 'empty'
  /** A class that is lacking, or there under two spellings. */
  | 'class'
  /** A file or folder that is no picture that can be read, and is not counted. */
  | 'skipped'
  /** Another number of images than was published. */
  | 'count';

/** Something wrong in a data set. */
export interface Problem {
  readonly kind: ProblemKind;
  /** With an error the data cannot be used; a warning changes what figures can be compared with. */
  readonly severity: 'error' | 'warning';
  /** The list, image, drawing file or folder that it was found in. */
  readonly file: string;
  /** Counted from 1, in files that have lines. */
  readonly line?: number;
  readonly message: string;
}

/** "lists/train.txt:12: there is no class id behind the last blank". */
export function describeProblem({ file, line, message }: Pick<Problem, 'file' | 'line' | 'message'>): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`;
}

/** Problems that an error's message tells; the rest is counted. */
const SHOWN = 5;

/** @throws DatasetError that tells the first errors among the problems, if there are any */
export function requireUsable(name: string, problems: readonly Problem[]): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  const shown = errors
    .slice(0, SHOWN)
    .map((problem) => `\n  ${describeProblem(problem)}`)
    .join('');
  const more = errors.length > SHOWN ? `\n  and ${errors.length - SHOWN} more` : '';
  throw new DatasetError(`${name} cannot be used as it is (sketchgrad data check tells everything):${shown}${more}`);
}
