import { StoreError } from './store.ts';

/** The name behind # in an address, which becomes part of the name of a table or collection. @throws StoreError */
export function collectionName(address: URL): string {
  const name = address.hash.slice(1) || 'pictures';
  if (/^[a-z][a-z0-9_]{0,39}$/.test(name)) return name;
  throw new StoreError(`#${name}: a name has at most 40 of a-z, 0-9 and _, and begins with a letter`);
}
