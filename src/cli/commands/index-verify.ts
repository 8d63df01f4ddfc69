import { IndexFolderError } from '../../retrieval/index-folder/part.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS } from '../options/shared.ts';
import { openGivenFolder } from '../files/given-index.ts';
import { printText, Progress } from '../display/progress.ts';

/** How far from 1 the length of a vector may be: above the rounding of 16-bit floats. */
const LENGTH_TOLERANCE = 2e-3;

export const indexVerifyCommand = defineCommand({
  name: 'index verify',
  summary: 'Read every byte of an index folder: digests, order of the paths, lengths of the vectors',
  options: { debug: SHARED_OPTIONS.debug },
  positionals: { name: 'folder', help: 'Index folders from sketchgrad embed' },
  async run(_, { positionals }) {
    for (const folder of positionals) {
      const index = await openGivenFolder(folder);
      const { dimension, parts } = index.manifest;
      const progress = new Progress('verifying');
      try {
        let last = '';
        let rows = 0;
        for (const part of parts) {
          for (const { path } of await index.pictures(part)) {
            if (rows > 0 && path <= last)
              throw new IndexFolderError(
                `${folder}/${part.pictures}: ${path} is not after ${last}; make the index again`,
              );
            last = path;
            rows++;
          }
          const vectors = await index.vectors(part);
          for (let row = 0; row < part.rows; row++) {
            let squares = 0;
            for (let i = row * dimension; i < (row + 1) * dimension; i++) squares += vectors[i] * vectors[i];
            // Written so that NaN fails too.
            if (!(Math.abs(Math.sqrt(squares) - 1) <= LENGTH_TOLERANCE))
              throw new IndexFolderError(
                `${folder}/${part.vectors}: the vector of row ${row} has length ${Math.sqrt(squares)} instead of 1; make the index again`,
              );
          }
          progress.update(rows, index.count);
        }
      } finally {
        progress.stop();
      }
      printText(`${folder}: ${index.count} pictures in ${parts.length} parts are as they were written\n`);
    }
  },
});
