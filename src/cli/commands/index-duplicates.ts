import { stat } from 'node:fs/promises';
import type { IndexFolder } from '../../platform/node/index-folder.ts';
import { rerank } from '../../retrieval/rerank.ts';
import { DUPLICATE_SIMILARITY, duplicateGroups } from '../../retrieval/duplicates.ts';
import type { RetrievalIndex } from '../../retrieval/index-file.ts';
import { defineCommand } from '../command.ts';
import { printText, Progress } from '../display/progress.ts';
import { textTable } from '../display/text-table.ts';
import { openGivenFolder, readGivenIndex } from '../files/given-index.ts';
import { number } from '../options/kinds.ts';
import { JSON_OPTION, SHARED_OPTIONS } from '../options/shared.ts';

export const INDEX_DUPLICATES_OPTIONS = {
  similarity: number({
    above: 0,
    maximum: 1,
    default: DUPLICATE_SIMILARITY,
    help: 'The cosine from which two pictures are near duplicates',
  }),
  json: JSON_OPTION,
  debug: SHARED_OPTIONS.debug,
} as const;

/** A picture of a group. */
interface Duplicate {
  readonly path: string;
  /** The cosine with the group's first picture. */
  readonly similarity: number;
  /** The first picture of the group with the same content. */
  readonly copyOf?: string;
}

export const indexDuplicatesCommand = defineCommand({
  name: 'index duplicates',
  summary: 'List groups of pictures of an index that are copies of each other, or nearly',
  options: INDEX_DUPLICATES_OPTIONS,
  positionals: { name: 'index', help: 'Index folders or files from sketchgrad embed' },
  async run({ similarity: least, json }, { positionals }) {
    for (const file of positionals) {
      const index = await readGivenIndex(file, 'the index');
      const isFolder = (await stat(file)).isDirectory();
      const digests = isFolder ? await digestsOf(await openGivenFolder(file)) : undefined;
      const progress = new Progress('comparing');
      const rows = duplicateGroups({
        ...index,
        digests,
        least,
        onProgress: (done) => progress.update(done, index.paths.length),
      });
      progress.stop();
      const groups = rows.map((group) => membersOf(group, index, digests));
      printText(
        json
          ? `${JSON.stringify({ index: file, similarity: least, groups })}\n`
          : textOf(file, least, isFolder, groups),
      );
    }
  },
});

async function digestsOf(index: IndexFolder): Promise<string[]> {
  const digests: string[] = [];
  for (const part of index.manifest.parts) for (const { digest } of await index.pictures(part)) digests.push(digest);
  return digests;
}

function membersOf(
  group: readonly number[],
  { embeddings, dimension, paths }: RetrievalIndex,
  digests: readonly string[] | undefined,
): Duplicate[] {
  const [first] = group;
  const query = embeddings.subarray(first * dimension, (first + 1) * dimension);
  const cosines = new Map(
    rerank(query, embeddings, dimension, group, group.length).map(({ index, score }) => [index, score]),
  );
  return group.map((row) => {
    const original = digests && group.find((other) => digests[other] === digests[row]);
    return {
      path: paths[row],
      similarity: cosines.get(row) as number,
      ...(original !== undefined && original !== row && { copyOf: paths[original] }),
    };
  });
}

function textOf(file: string, least: number, isFolder: boolean, groups: readonly (readonly Duplicate[])[]): string {
  const pictures = groups.reduce((sum, { length }) => sum + length, 0);
  const copies = groups.flat().filter(({ copyOf }) => copyOf !== undefined).length;
  const summary = `${file}: ${groups.length} ${groups.length === 1 ? 'group' : 'groups'} of ${pictures} pictures with a cosine of at least ${least}${
    isFolder ? `, among them ${copies} exact copies` : '; an index folder also tells exact copies'
  }\n`;
  const tables = groups.map(
    (group) =>
      `\n${textTable(
        ['cosine', 'picture', 'copy of'],
        group.map(({ similarity, path, copyOf = '' }) => [similarity.toFixed(4), path, copyOf]),
        { left: 3 },
      )}\n`,
  );
  return `${summary}${tables.join('')}`;
}
