import type { SchemaElement } from 'hyparquet';
import { open, rm, writeFile } from 'node:fs/promises';
import { writeFileAtomically } from '../../platform/node/files.ts';
import type { IndexFolder } from '../../platform/node/index-folder.ts';
import { readIndex } from '../../platform/node/read-index.ts';
import { serializeIndex } from '../../retrieval/index-file.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS } from '../options/shared.ts';
import { openGivenFolder } from '../files/given-index.ts';
import { text } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { printText } from '../display/progress.ts';

export const INDEX_EXPORT_OPTIONS = {
  out: text({
    placeholder: 'file',
    help: 'The output file: .npy (with the paths in a text file), .parquet, or .safetensors (an index in one file)',
  }),
  debug: SHARED_OPTIONS.debug,
} as const;

const WRITERS: Readonly<Record<string, (index: IndexFolder, out: string) => Promise<void>>> = {
  npy: writeNpy,
  parquet: writeParquet,
  safetensors: async (index, out) => writeFileAtomically(out, serializeIndex(await readIndex(index.folder))),
};

export const indexExportCommand = defineCommand({
  name: 'index export',
  summary: 'Write the vectors and paths of an index folder for other programs',
  options: INDEX_EXPORT_OPTIONS,
  positionals: { name: 'folder', help: 'An index folder from sketchgrad embed' },
  async run({ out }, { positionals }) {
    if (positionals.length > 1) throw new OptionError(`give one folder at a time: ${positionals.join(', ')}`);
    const kind = /\.(npy|parquet|safetensors)$/.exec(out ?? '')?.[1];
    if (out === undefined || kind === undefined)
      throw new OptionError(
        `--out is needed: a file whose name ends in ${Object.keys(WRITERS)
          .map((name) => `.${name}`)
          .join(', ')}`,
      );
    const index = await openGivenFolder(positionals[0]);
    await WRITERS[kind](index, out);
    printText(`${out}: ${index.count} vectors of ${index.manifest.dimension} components\n`);
  },
});

/** NumPy's format 1.0 (numpy.lib.format): magic bytes, a header padded to 64 bytes, then the array, part by part. */
async function writeNpy(index: IndexFolder, out: string): Promise<void> {
  const { dimension, parts } = index.manifest;
  const about = `{'descr': '<f4', 'fortran_order': False, 'shape': (${index.count}, ${dimension}), }`;
  const length = Math.ceil((10 + about.length + 1) / 64) * 64 - 10;
  const header = Buffer.from(`\x93NUMPY\x01\x00\0\0${about.padEnd(length - 1)}\n`, 'latin1');
  header.writeUInt16LE(length, 8);
  const paths: string[] = [];
  const file = await open(out, 'w');
  try {
    await file.write(header);
    for (const part of parts) {
      await file.writeFile(new Uint8Array((await index.vectors(part)).buffer));
      for (const { path } of await index.pictures(part)) paths.push(path);
    }
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await writeFile(`${out.replace(/\.npy$/, '')}.paths.txt`, paths.map((path) => `${path}\n`).join(''));
}

/** Columns: path, size, modified, digest, and vector, a list of floats. One row group for each part. */
async function writeParquet(index: IndexFolder, out: string): Promise<void> {
  const { fileWriter, ParquetWriter } = await import('hyparquet-writer').catch((cause: unknown) => {
    throw new OptionError('--out: Parquet is written by the package hyparquet-writer; npm install hyparquet-writer', {
      cause,
    });
  });
  const { dimension, parts } = index.manifest;
  try {
    const file = new ParquetWriter({ writer: fileWriter(out), schema: PARQUET_SCHEMA });
    for (const part of parts) {
      const pictures = await index.pictures(part);
      const rows = await index.vectors(part);
      file.write({
        columnData: [
          { name: 'path', data: pictures.map(({ path }) => path) },
          { name: 'size', data: pictures.map(({ size }) => BigInt(size)) },
          { name: 'modified', data: pictures.map(({ time }) => new Date(time)) },
          { name: 'digest', data: pictures.map(({ digest }) => digest) },
          {
            name: 'vector',
            data: pictures.map((_, row) => Array.from(rows.subarray(row * dimension, (row + 1) * dimension))),
          },
        ],
        rowGroupSize: part.rows,
      });
    }
    file.finish();
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  }
}

const PARQUET_SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: 5 },
  { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
  { name: 'size', type: 'INT64', repetition_type: 'REQUIRED' },
  { name: 'modified', type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', repetition_type: 'REQUIRED' },
  { name: 'digest', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
  { name: 'vector', converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
];
