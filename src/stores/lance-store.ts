/**
 * A store in LanceDB, a library that runs in this process: files in a folder or in object storage, HNSW over vectors of
 * one-byte values, and cosines of the candidates from the float32 vectors.
 */
import type * as Lance from '@lancedb/lancedb';
import { pictureLabel, type PictureFilter } from '../retrieval/picture-filter.ts';
import { optionalPackage } from './optional-package.ts';
import { sqlConditions } from './sql.ts';
import {
  batches,
  byScore,
  checkedRows,
  missingStore,
  requireDimension,
  requireVector,
  tableName,
  WriteQueue,
  type StoreContent,
  type StoredPicture,
  type StoreHit,
  type VectorStore,
} from './store.ts';

/** With fewer rows, a search of all of them is exact and as fast. */
const LEAST_INDEXED = 4096;
/** Each partition is a graph of its own, which is built in memory. */
const PARTITION_ROWS = 1_000_000;
const NEIGHBOURS = 20;
const EF_CONSTRUCTION = 300;
/** Rows of the graph that a search keeps as candidates, at least. */
const EF = 200;
/** Candidates for each result whose cosine is computed from the float32 vectors. */
const REFINE = 4;
const KEYS_A_STATEMENT = 1000;
const INSTALL = '@lancedb/lancedb@0.31.0';

/** @see openStore */
export class LanceStore implements VectorStore {
  private readonly writes = new WriteQueue();

  private constructor(
    private readonly lance: Pick<typeof Lance, 'Index'>,
    private readonly connection: Lance.Connection,
    private readonly table: Lance.Table,
    readonly dimension: number,
  ) {}

  /** @param uri a folder, or an address of object storage such as s3://bucket/folder */
  static async open(uri: string, content: StoreContent): Promise<LanceStore> {
    const store = `lance:${uri}`;
    const { modelChecksum, dimension } = content;
    const lance = await optionalPackage(() => import('@lancedb/lancedb'), store, INSTALL);
    const arrow = await optionalPackage(() => import('apache-arrow'), store, INSTALL);
    // 0: a search sees what other processes have written.
    const connection = await lance.connect(uri, { readConsistencyInterval: 0 });
    const name = tableName('pictures', modelChecksum);
    if ((await connection.tableNames({ startAfter: name.slice(0, -1), limit: 100 })).includes(name)) {
      const table = await connection.openTable(name);
      const vector = (await table.schema()).fields.find((field) => field.name === 'vector');
      const stored = (vector?.type as InstanceType<typeof arrow.FixedSizeList> | undefined)?.listSize ?? 0;
      requireDimension(store, stored, content);
      return new LanceStore(lance, connection, table, stored);
    }
    if (dimension === undefined) return missingStore(store, modelChecksum);
    const field = (key: string, type: InstanceType<typeof arrow.DataType>): InstanceType<typeof arrow.Field> =>
      new arrow.Field(key, type, false);
    const schema = new arrow.Schema([
      field('path', new arrow.Utf8()),
      field('label', new arrow.Utf8()),
      field('size', new arrow.Float64()),
      field('time', new arrow.Float64()),
      field('digest', new arrow.Utf8()),
      field('vector', new arrow.FixedSizeList(dimension, new arrow.Field('item', new arrow.Float32(), true))),
    ]);
    const table = await connection.createEmptyTable(name, schema, { existOk: true });
    return new LanceStore(lance, connection, table, dimension);
  }

  async add(pictures: readonly StoredPicture[]): Promise<void> {
    const rows = checkedRows(pictures, this.dimension).map(({ vector, ...picture }) => ({
      path: picture.path,
      label: pictureLabel(picture.path),
      size: picture.size,
      time: picture.time,
      digest: picture.digest,
      vector: Array.from(vector),
    }));
    if (rows.length === 0) return;
    await this.writes.run(() =>
      this.table.mergeInsert('path').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(rows),
    );
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const batch of batches(paths, KEYS_A_STATEMENT)) await this.writes.run(() => this.table.delete(pathIn(batch)));
  }

  async search(query: Float32Array, k: number, filter: PictureFilter = {}): Promise<StoreHit[]> {
    requireVector('the query', query, this.dimension);
    const conditions = sqlConditions(filter, literal);
    const nearest = this.table
      .query()
      .nearestTo(query)
      .distanceType('cosine')
      .ef(Math.max(EF, 2 * REFINE * k))
      .refineFactor(REFINE)
      .limit(k)
      .select(['path', 'digest', '_distance']);
    const found = (await (conditions === '' ? nearest : nearest.where(conditions)).toArray()) as LanceHit[];
    return byScore(found.map(({ path, digest, _distance }) => ({ path, digest, score: 1 - _distance })));
  }

  count(filter: PictureFilter = {}): Promise<number> {
    return this.table.countRows(sqlConditions(filter, literal) || undefined);
  }

  async digests(paths: readonly string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const batch of batches(paths, KEYS_A_STATEMENT)) {
      const rows = (await this.table
        .query()
        .where(pathIn(batch))
        .select(['path', 'digest'])
        .toArray()) as readonly Omit<LanceHit, '_distance'>[];
      for (const { path, digest } of rows) found.set(path, digest);
    }
    return found;
  }

  async *paths(): AsyncGenerator<readonly string[], void, undefined> {
    for await (const batch of this.table.query().select(['path']))
      yield Array.from(batch.getChild('path') ?? [], (path) => String(path));
  }

  /** Builds the index, or adds new rows to it; merges small files. */
  async flush(): Promise<void> {
    await this.writes.run(async () => {
      const rows = await this.table.countRows();
      const indexed = new Set((await this.table.listIndices()).flatMap(({ columns }) => columns));
      if (rows >= LEAST_INDEXED && !indexed.has('vector')) {
        const partitions = Math.ceil(rows / PARTITION_ROWS);
        const config = this.lance.Index.hnswSq({
          distanceType: 'cosine',
          numPartitions: partitions,
          m: NEIGHBOURS,
          efConstruction: EF_CONSTRUCTION,
        });
        await this.table.createIndex('vector', { config });
        await this.table.createIndex('path', { config: this.lance.Index.btree() });
        await this.table.createIndex('label', { config: this.lance.Index.btree() });
      }
      await this.table.optimize();
    });
  }

  async close(): Promise<void> {
    await this.writes.run(() => Promise.resolve());
    this.table.close();
    this.connection.close();
  }
}

interface LanceHit {
  readonly path: string;
  readonly digest: string;
  readonly _distance: number;
}

const literal = (value: string | number): string =>
  typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;

const pathIn = (paths: readonly string[]): string => `path IN (${paths.map(literal).join(', ')})`;
