// Brings an index folder up to date, with vectors made of the pictures' pixels in place of a network's. Killed by
// index-kills.ts.
//   index-kills-child FOLDER PICTURES
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { embedFolder } from '../../src/cli/files/embed-folder.ts';
import { fileSource } from '../../src/platform/node/picture-sources/source.ts';

const WIDTH = 16;
const [folder, pictures] = process.argv.slice(2);
const files = (await readdir(pictures)).map((name) => path.join(pictures, name));
process.stdout.write('begun\n');
await embedFolder(
  folder,
  fileSource(files),
  {
    width: WIDTH,
    async compute(samples, images) {
      const rows = new Float32Array(samples.length * WIDTH);
      for (const [row, sample] of samples.entries()) {
        const pixels = await images.read(sample, 4);
        const values = Float64Array.from({ length: WIDTH }, (_, i) => 1 + pixels[3 * i]);
        const length = Math.hypot(...values);
        rows.set(
          values.map((value) => value / length),
          row * WIDTH,
        );
      }
      return rows;
    },
    destroy: () => undefined,
  },
  { modelChecksum: 'none', type: 'F32', circumstances: '', strict: true },
);
