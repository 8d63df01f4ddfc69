import { ExactStore } from './exact-store.ts';
import { LanceStore } from './lance-store.ts';
import { PostgresStore } from './postgres-store.ts';
import { StoreError, type StoreContent, type VectorStore } from './store.ts';

/** The forms of an address, for help and errors. */
export const STORE_FORMS = 'exact, lance:FOLDER, postgres://...';

/**
 * Opens a store by its address:
 *
 * - `exact`: an empty `ExactStore` in memory
 * - `lance:FOLDER`: LanceDB, in a folder or in object storage (`lance:s3://bucket/folder`); needs `@lancedb/lancedb`
 * - `postgres://user@host/database#name`: PostgreSQL with pgvector; needs `pg`
 *
 * @throws StoreError for another address, a package that is not installed, and a store that has no pictures of the
 * model unless `dimension` is given
 */
export async function openStore(address: string, content: StoreContent): Promise<VectorStore> {
  if (address === 'exact') {
    if (content.dimension === undefined) throw new StoreError('exact: the dimension is needed');
    return new ExactStore(content.dimension);
  }
  if (/^postgres(ql)?:\/\//.test(address)) return PostgresStore.open(address, content);
  const [, scheme, place] = /^(lance):(.+)$/s.exec(address) ?? [];
  if (scheme === 'lance') return LanceStore.open(place, content);
  throw new StoreError(`${address} is no store; give one of ${STORE_FORMS}`);
}
