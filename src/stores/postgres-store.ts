/**
 * A store in PostgreSQL with pgvector: vectors as 16-bit floats (halfvec), an HNSW index, and a search that goes on in
 * the index until enough rows pass the filter (hnsw.iterative_scan, pgvector 0.8).
 */
import type { ClientBase, Pool } from 'pg';
import { pictureLabel, type PictureFilter } from '../retrieval/picture-filter.ts';
import { collectionName } from './collection-name.ts';
import { optionalPackage } from './optional-package.ts';
import { sqlConditions } from './sql.ts';
import {
  batches,
  byScore,
  checkedRows,
  missingStore,
  pathId,
  requireDimension,
  requireVector,
  StoreError,
  tableName,
  type StoreContent,
  type StoredPicture,
  type StoreHit,
  type VectorStore,
} from './store.ts';

/** Neighbors of a row in the graph, and candidates while it is built. */
const NEIGHBOURS = 16;
const EF_CONSTRUCTION = 128;
/** Rows of the graph that a search keeps as candidates. */
const EF = 200;
/** pgvector indexes no longer halfvec. */
const MOST_COMPONENTS = 4000;
const KEYS_A_STATEMENT = 1000;
const PATHS_A_STATEMENT = 10_000;
const INSTALL = 'pg';

/** @see openStore */
export class PostgresStore implements VectorStore {
  private constructor(
    private readonly pool: Pool,
    private readonly table: string,
    readonly dimension: number,
  ) {}

  /**
   * @param url postgres://user@host/database; a name behind # separates collections in one database, and `?max=1` limits
   * the connections
   */
  static async open(url: string, content: StoreContent): Promise<PostgresStore> {
    const address = new URL(url);
    const name = collectionName(address);
    const shown = `postgres://${address.host}${address.pathname}${address.hash}`;
    const { Pool } = (await optionalPackage(() => import('pg'), shown, INSTALL)).default;
    const max = Number(address.searchParams.get('max') ?? 4);
    address.searchParams.delete('max');
    address.hash = '';
    const settings = `SET hnsw.ef_search = ${EF}; SET hnsw.iterative_scan = strict_order`;
    const pool = new Pool({
      connectionString: address.href,
      max,
      // The pool waits for it before it lends the connection.
      onConnect: async (client: ClientBase): Promise<void> => void (await client.query(settings)),
    });
    // Without a listener, a connection that breaks while it is idle would end the process.
    pool.on('error', () => undefined);
    try {
      return await PostgresStore.openTable(pool, tableName(name, content.modelChecksum), shown, content);
    } catch (error) {
      await pool.end();
      throw error instanceof StoreError
        ? error
        : new StoreError(`${shown}: ${(error as Error).message}`, { cause: error });
    }
  }

  private static async openTable(
    pool: Pool,
    table: string,
    shown: string,
    content: StoreContent,
  ): Promise<PostgresStore> {
    const { dimension } = content;
    // The type modifier of halfvec is the dimension.
    const found = await pool.query<{ dimension: number }>(
      "SELECT atttypmod AS dimension FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'vector'",
      [table],
    );
    if (found.rows.length > 0) {
      const [{ dimension: stored }] = found.rows;
      requireDimension(shown, stored, content);
      return new PostgresStore(pool, table, stored);
    }
    if (dimension === undefined) return missingStore(shown, content.modelChecksum);
    if (dimension > MOST_COMPONENTS)
      throw new StoreError(`${shown}: pgvector indexes at most ${MOST_COMPONENTS} components, there are ${dimension}`);
    await pool.query(
      `CREATE EXTENSION IF NOT EXISTS vector;
       CREATE TABLE IF NOT EXISTS ${table} (id uuid PRIMARY KEY, path text NOT NULL, label text NOT NULL,
         size float8 NOT NULL, time float8 NOT NULL, digest text NOT NULL, vector halfvec(${dimension}) NOT NULL)`,
    );
    return new PostgresStore(pool, table, dimension);
  }

  async add(pictures: readonly StoredPicture[]): Promise<void> {
    // In the order of the keys, so that writers of the same rows do not wait for each other in a circle.
    const rows = checkedRows(pictures, this.dimension)
      .map((picture) => ({ ...picture, id: pathId(picture.path) }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    if (rows.length === 0) return;
    await this.pool.query(
      `INSERT INTO ${this.table} (id, path, label, size, time, digest, vector)
       SELECT id, path, label, size, time, digest, vector::halfvec
       FROM unnest($1::uuid[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::text[], $7::text[])
         AS row (id, path, label, size, time, digest, vector)
       ON CONFLICT (id) DO UPDATE SET size = excluded.size, time = excluded.time, digest = excluded.digest,
         vector = excluded.vector`,
      [
        rows.map(({ id }) => id),
        rows.map(({ path }) => path),
        rows.map(({ path }) => pictureLabel(path)),
        rows.map(({ size }) => size),
        rows.map(({ time }) => time),
        rows.map(({ digest }) => digest),
        rows.map(({ vector }) => vectorText(vector)),
      ],
    );
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const batch of batches(paths, KEYS_A_STATEMENT))
      await this.pool.query(`DELETE FROM ${this.table} WHERE id = ANY ($1::uuid[])`, [batch.map(pathId)]);
  }

  async search(query: Float32Array, k: number, filter: PictureFilter = {}): Promise<StoreHit[]> {
    requireVector('the query', query, this.dimension);
    const parameters: unknown[] = [vectorText(query), k];
    const { rows } = await this.pool.query<StoreHit>(
      `SELECT path, digest, 1 - (vector <=> $1::halfvec) AS score FROM ${this.table}${where(filter, parameters)}
       ORDER BY vector <=> $1::halfvec LIMIT $2`,
      parameters,
    );
    return byScore(rows);
  }

  async count(filter: PictureFilter = {}): Promise<number> {
    const parameters: unknown[] = [];
    const { rows } = await this.pool.query<{ count: number }>(
      `SELECT count(*)::float8 AS count FROM ${this.table}${where(filter, parameters)}`,
      parameters,
    );
    return rows[0].count;
  }

  async digests(paths: readonly string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const batch of batches(paths, KEYS_A_STATEMENT)) {
      const { rows } = await this.pool.query<{ path: string; digest: string }>(
        `SELECT path, digest FROM ${this.table} WHERE id = ANY ($1::uuid[])`,
        [batch.map(pathId)],
      );
      for (const { path, digest } of rows) found.set(path, digest);
    }
    return found;
  }

  async *paths(): AsyncGenerator<readonly string[], void, undefined> {
    for (let last = '00000000-0000-0000-0000-000000000000'; ;) {
      const { rows } = await this.pool.query<{ id: string; path: string }>(
        `SELECT id, path FROM ${this.table} WHERE id > $1 ORDER BY id LIMIT ${PATHS_A_STATEMENT}`,
        [last],
      );
      if (rows.length === 0) return;
      yield rows.map(({ path }) => path);
      last = rows[rows.length - 1].id;
    }
  }

  /** Builds the index once; PostgreSQL keeps it up to date. Writes wait meanwhile, searches do not. */
  async flush(): Promise<void> {
    await this.pool.query(
      `CREATE INDEX IF NOT EXISTS ${this.table}_hnsw ON ${this.table} USING hnsw (vector halfvec_cosine_ops)
       WITH (m = ${NEIGHBOURS}, ef_construction = ${EF_CONSTRUCTION})`,
    );
    await this.pool.query(`CREATE INDEX IF NOT EXISTS ${this.table}_label ON ${this.table} (label)`);
    await this.pool.query(`ANALYZE ${this.table}`);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

const vectorText = (vector: Float32Array): string => `[${vector.join(',')}]`;

/** @param parameters get the values of the conditions */
function where(filter: PictureFilter, parameters: unknown[]): string {
  const conditions = sqlConditions(filter, (value) => `$${parameters.push(value)}`);
  return conditions === '' ? '' : ` WHERE ${conditions}`;
}
