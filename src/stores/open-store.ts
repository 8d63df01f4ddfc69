import { ExactStore } from './exact-store.ts';
import { LanceStore } from './lance-store.ts';
import { PostgresStore } from './postgres-store.ts';
import { QdrantStore } from './qdrant-store.ts';
import { StoreError, type StoreContent, type VectorStore } from './store.ts';

/** The forms of an address, for help and errors. */
export const STORE_FORMS = 'exact, lance:FOLDER, postgres://..., qdrant:http://...';

/**
 * Opens a store by its address:
 *
 * - `exact`: an empty `ExactStore` in memory
 * - `lance:FOLDER`: LanceDB, in a folder or in object storage (`lance:s3://bucket/folder`); needs `@lancedb/lancedb`
 * - `postgres://user@host/database#name`: PostgreSQL with pgvector; needs `pg`
 * - `qdrant:http://host:6333#name`: a Qdrant server; needs `@qdrant/js-client-rest`
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
  const [, scheme, place] = /^(lance|qdrant):(.+)$/s.exec(address) ?? [];
  if (scheme === 'lance') return LanceStore.open(place, content);
  if (scheme === 'qdrant' && URL.canParse(place))
    return QdrantStore.open(place, globalThis.process?.env.QDRANT_API_KEY, content);
  throw new StoreError(`${address} is no store; give one of ${STORE_FORMS}`);
}
