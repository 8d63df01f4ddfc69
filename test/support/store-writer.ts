// A process that writes to a store until it is killed: prints the number of each batch once it is stored.
import { openStore } from '../../src/stores/open-store.ts';
import { clusteredPictures } from './store-contract.ts';

const BATCH = 50;
const [address, modelChecksum, dimension] = process.argv.slice(2);
const content = { modelChecksum, dimension: Number(dimension) };

const store = await openStore(address, content);
for (let batch = 0; ; batch++) {
  const pictures = clusteredPictures(BATCH, content.dimension, 100).map((picture, index) => ({
    ...picture,
    path: `batch/${batch}/${index}.png`,
  }));
  await store.add(pictures);
  process.stdout.write(`${batch}\n`);
}
