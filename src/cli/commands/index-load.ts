import { IndexModelMismatchError } from '../../retrieval/index-file.ts';
import { loadIndexes } from '../../stores/load-indexes.ts';
import { openStore } from '../../stores/open-store.ts';
import { defineCommand } from '../command.ts';
import { printText, Progress } from '../display/progress.ts';
import { openGivenFolder } from '../files/given-index.ts';
import { text, toggle } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { SHARED_OPTIONS } from '../options/shared.ts';
import { STORE_OPTION } from '../options/stores.ts';

export const INDEX_LOAD_OPTIONS = {
  store: text({ placeholder: 'store', required: true, help: 'The store that is filled; created if it does not exist' }),
  keep: toggle({ help: 'Keep pictures that are in none of the folders, instead of removing them from the store' }),
  debug: SHARED_OPTIONS.debug,
} as const;

export const indexLoadCommand = defineCommand({
  name: 'index load',
  summary: 'Load index folders into a vector store; loads only what changed',
  options: INDEX_LOAD_OPTIONS,
  positionals: { name: 'folder', help: 'Index folders of one model, from sketchgrad embed' },
  async run({ store: address, keep }, { positionals }) {
    if (address === STORE_OPTION.default)
      throw new OptionError('--store exact is in memory, and reads an index folder itself; give another store');
    const indexes = await Promise.all(positionals.map(openGivenFolder));
    const [{ modelChecksum, dimension }] = indexes.map(({ manifest }) => manifest);
    for (const { manifest } of indexes)
      if (manifest.modelChecksum !== modelChecksum)
        throw new IndexModelMismatchError(manifest.modelChecksum, modelChecksum);
    const total = indexes.reduce((sum, index) => sum + index.count, 0);
    const store = await openStore(address, { modelChecksum, dimension });
    const progress = new Progress('loading');
    try {
      const { added, unchanged, removed } = await loadIndexes(store, indexes, {
        keep,
        onProgress: (done) => progress.update(done, total),
      });
      progress.stop();
      printText(
        `${added} added or changed, ${unchanged} unchanged, ${removed} removed; ${await store.count()} pictures\n`,
      );
    } finally {
      progress.stop();
      await store.close();
    }
  },
});
