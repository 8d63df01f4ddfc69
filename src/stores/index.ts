/** Vector stores: an exact one in memory, and adapters of engines for larger collections. */
export { evaluateStore } from './evaluate-store.ts';
export { openStore } from './open-store.ts';
export { ExactStore } from './exact-store.ts';
export { StoreError, type StoreContent, type StoredPicture, type StoreHit, type VectorStore } from './store.ts';
export type { PictureFilter } from '../retrieval/picture-filter.ts';
export type { IndexedPicture } from '../retrieval/index-folder/part.ts';
