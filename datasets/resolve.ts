/** Which images of an archive belong to which part of a split: by its list files, or by its class folders. */
import { join } from 'node:path';
import { resolveByFolders } from './by-folders.ts';
import { hasLists, resolveByLists } from './by-lists.ts';
import type { Archive } from './layouts/index.ts';
import type { Problem } from './problems.ts';
import type { ResolvedSplit, ResolveOptions } from './resolved-split.ts';
import type { Split } from './splits.ts';

export type { ResolvedSplit, ResolveOptions };

/**
 * By the archive's lists where it has those of this split, else by its class folders and the split's names. What is
 * wrong is told among the problems.
 */
export async function resolveSplit(
  archive: Archive,
  split: Split,
  options: ResolveOptions = {},
): Promise<ResolvedSplit> {
  const listed = hasLists(archive, split);
  const problems: Problem[] =
    archive.lacks === undefined
      ? []
      : [{ kind: 'missing', severity: 'error', file: archive.root, message: archive.lacks }];
  // Published splits are the same without their lists; the content of a user's own lists is unknown.
  if (!listed && split.lists !== undefined && split.set === undefined)
    problems.push({
      kind: 'missing',
      severity: 'error',
      file: split.name,
      message: `the lists are to be in ${join(archive.root, split.lists)}, and are not`,
    });
  const resolved = await (listed ? resolveByLists : resolveByFolders)(archive, split, options);
  return { ...resolved, problems: [...problems, ...resolved.problems] };
}
