import { existsSync } from 'node:fs';
import path from 'node:path';
import { IndexFolderWriter, type IndexFolder } from '../../platform/node/index-folder.ts';
import { IndexModelMismatchError } from '../../retrieval/index-file.ts';
import { MANIFEST } from '../../retrieval/index-folder/manifest.ts';
import type { IndexedPicture } from '../../retrieval/index-folder/part.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS } from '../options/shared.ts';
import { openGivenFolder } from '../files/given-index.ts';
import { text } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { printText, Progress } from '../display/progress.ts';

export const INDEX_MERGE_OPTIONS = {
  out: text({ placeholder: 'folder', help: 'The output folder' }),
  debug: SHARED_OPTIONS.debug,
} as const;

export const indexMergeCommand = defineCommand({
  name: 'index merge',
  summary: 'Merge several index folders, such as shards, into one',
  options: INDEX_MERGE_OPTIONS,
  positionals: { name: 'folder', help: 'Index folders of one model' },
  async run({ out }, { positionals }) {
    if (out === undefined) throw new OptionError('--out is needed: the index folder that is written');
    if (existsSync(path.join(out, MANIFEST)))
      throw new OptionError(`--out: ${out} is an index already; give another folder, or remove it first`);
    const indexes = await Promise.all(positionals.map(openGivenFolder));
    const [{ manifest }] = indexes;
    for (const { folder, manifest: other } of indexes) {
      if (other.modelChecksum !== manifest.modelChecksum)
        throw new IndexModelMismatchError(other.modelChecksum, manifest.modelChecksum);
      if (other.type !== manifest.type)
        throw new OptionError(
          `${folder} holds ${other.type}, and ${indexes[0].folder} ${manifest.type}; embed one again`,
        );
    }
    const total = indexes.reduce((sum, index) => sum + index.count, 0);
    const progress = new Progress('merging');
    const writer = await IndexFolderWriter.create(out, manifest);
    let done = 0;
    try {
      for await (const { picture, vector } of merged(indexes)) {
        await writer.add(picture, vector);
        if (++done % 1024 === 0) progress.update(done, total);
      }
    } finally {
      progress.stop();
    }
    const { parts } = await writer.finish();
    printText(`${out}: ${done} pictures in ${parts.length} ${parts.length === 1 ? 'part' : 'parts'}\n`);
  },
});

interface Row {
  readonly picture: IndexedPicture;
  readonly vector: Float32Array;
}

/** The rows of all indexes in the order of their paths. @throws OptionError where two have the same picture */
async function* merged(indexes: readonly IndexFolder[]): AsyncGenerator<Row, void, undefined> {
  const heads = await Promise.all(
    indexes.map(async (index) => {
      const rows = rowsOf(index);
      return { index, rows, next: await rows.next() };
    }),
  );
  let last: string | undefined;
  for (;;) {
    const open = heads.filter(({ next }) => next.done !== true);
    if (open.length === 0) return;
    const least = open.reduce((a, b) =>
      (a.next.value as Row).picture.path <= (b.next.value as Row).picture.path ? a : b,
    );
    const row = least.next.value as Row;
    if (row.picture.path === last)
      throw new OptionError(`${row.picture.path} is in ${least.index.folder} and in another of the indexes`);
    last = row.picture.path;
    yield row;
    least.next = await least.rows.next();
  }
}

/** One part is in memory at a time. */
async function* rowsOf(index: IndexFolder): AsyncGenerator<Row, void, undefined> {
  const { dimension, parts } = index.manifest;
  for (const part of parts) {
    const vectors = await index.vectors(part);
    for (const [row, picture] of (await index.pictures(part)).entries())
      yield { picture, vector: vectors.subarray(row * dimension, (row + 1) * dimension) };
  }
}
