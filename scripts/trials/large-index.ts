// Makes an index folder of many rows and one large index file, and opens them with the Node that runs this:
//   npx tsx scripts/trials/large-index.ts make FOLDER ROWS [F32|F16]
//   node --import tsx scripts/trials/large-index.ts open FOLDER
// The same vectors repeat every 65,536 rows, so that the parts are made quickly; every row has its own path.
import { IndexFolderWriter } from '../../src/platform/node/index-folder.ts';
import { readIndex } from '../../src/platform/node/read-index.ts';
import type { VectorType } from '../../src/retrieval/index-folder/part.ts';

const DIMENSION = 128;
const PERIOD = 65_536;
const [what, folder, rows = '10000000', type = 'F32'] = process.argv.slice(2);

if (what === 'make') {
  const vectors = new Float32Array(PERIOD * DIMENSION);
  for (let row = 0; row < PERIOD; row++) {
    const vector = vectors.subarray(row * DIMENSION, (row + 1) * DIMENSION);
    for (let i = 0; i < DIMENSION; i++) vector[i] = Math.sin((row + 1) * (i + 1));
    const length = Math.hypot(...vector);
    vector.forEach((value, i) => (vector[i] = value / length));
  }
  const writer = await IndexFolderWriter.create(folder, {
    modelChecksum: '0'.repeat(64),
    dimension: DIMENSION,
    type: type as VectorType,
  });
  for (let row = 0; row < Number(rows); row++) {
    const at = row % PERIOD;
    await writer.add(
      { path: `pictures/${String(row).padStart(12, '0')}.jpg`, size: 1, time: 1, digest: '0'.repeat(64) },
      vectors.subarray(at * DIMENSION, (at + 1) * DIMENSION),
    );
  }
  const { parts } = await writer.finish();
  console.log(`${folder}: ${rows} rows in ${parts.length} parts`);
} else {
  const start = performance.now();
  const cpuStart = process.cpuUsage();
  const { paths, embeddings } = await readIndex(folder);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpuStart);
  console.log(
    `${process.version}: ${paths.length} rows, ${(embeddings.byteLength / 2 ** 30).toFixed(2)} GiB of vectors, opened in ${seconds.toFixed(1)} s (${((user + system) / 1e6).toFixed(1)} s of processor time), ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB in memory`,
  );
}
