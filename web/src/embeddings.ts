import { proxy, type Remote } from 'comlink';
import type { PictureCollection } from './collections.ts';
import type { Engine } from './engine.ts';
import type { ModelSummary, Progress } from './open-models.ts';
import { changingKept, indexesOf, keep, readKept } from './kept-files.ts';
import { storing } from './leaving.ts';

/**
 * Pictures that are embedded by one call: between two calls others have the device, and a collection that is no longer
 * wanted ends.
 */
const PORTION = 64;

/** The embeddings of a collection's readable pictures. */
export interface Embedded {
  /** [pictures.length, dimension] */
  readonly values: Float32Array;
  /** The index of each row's picture in the collection. */
  readonly pictures: readonly number[];
}

/** Rows of embeddings by the keys of the pictures; undefined for a picture that cannot be decoded. */
type Table = Map<string, Float32Array | undefined>;

/**
 * Embeddings by collection and model: those in memory, those of an earlier visit, and new ones of the pictures that have
 * none.
 */
export class Embeddings {
  private readonly tables = new Map<string, Table>();
  private readonly complete = new WeakMap<PictureCollection, Map<string, Embedded>>();
  /** The last call for each table. */
  private readonly calls = new Map<string, Promise<unknown>>();

  constructor(private readonly engine: Remote<Engine>) {}

  /** Embeddings that come with the page. */
  provide(collection: PictureCollection, checksum: string, values: Float32Array): void {
    this.completed(collection).set(checksum, { values, pictures: collection.names.map((_, index) => index) });
  }

  /**
   * Embeds what has no embedding yet.
   * @param wanted whether the answer is of use still; where it is not, embedding ends
   * @returns undefined where it was no longer wanted
   */
  async of(
    collection: PictureCollection,
    model: ModelSummary,
    wanted: () => boolean,
    onProgress: Progress,
  ): Promise<Embedded | undefined> {
    const known = this.completed(collection).get(model.checksum);
    if (known !== undefined) return known;
    // One after the other, so that no picture is embedded twice.
    const key = tableKey(collection, model);
    const result = (this.calls.get(key) ?? Promise.resolve()).then(() =>
      wanted() ? this.embed(collection, model, wanted, onProgress) : undefined,
    );
    this.calls.set(
      key,
      result.catch(() => undefined),
    );
    return result;
  }

  private completed(collection: PictureCollection): Map<string, Embedded> {
    const found = this.complete.get(collection) ?? new Map<string, Embedded>();
    this.complete.set(collection, found);
    return found;
  }

  private async embed(
    collection: PictureCollection,
    model: ModelSummary,
    wanted: () => boolean,
    onProgress: Progress,
  ): Promise<Embedded | undefined> {
    const done = this.completed(collection).get(model.checksum);
    if (done !== undefined) return done;
    const { keys, names } = collection;
    const path = `${indexesOf(collection.id)}/${model.checksum.slice(0, 16)}.safetensors`;
    const table: Table = this.tables.get(tableKey(collection, model)) ?? new Map<string, Float32Array>();
    this.tables.set(tableKey(collection, model), table);
    // An earlier visit may have them, or another tab.
    if (!keys.every((key) => table.has(key)))
      for (const [key, row] of await this.readTable(path, model)) table.set(key, row);
    const missing = keys.flatMap((key, index) => (table.has(key) ? [] : [index]));
    for (let first = 0; first < missing.length && wanted(); first += PORTION) {
      const portion = missing.slice(first, first + PORTION);
      const pictures = portion.map((index) => ({ name: names[index], picture: collection.picture(index) }));
      const { embeddings, rows } = await this.engine.embed(
        model.checksum,
        pictures,
        proxy((count: number) => onProgress(first + count, missing.length)),
      );
      for (const index of portion) table.set(keys[index], undefined);
      rows.forEach((row, place) =>
        table.set(keys[portion[row]], embeddings.slice(place * model.dimension, (place + 1) * model.dimension)),
      );
    }
    if (missing.length > 0) await this.keepTable(path, collection, model, table);
    // What was deleted in the meantime is not stored here either.
    const current = await collection.keptKeys();
    for (const key of table.keys()) if (!current.has(key) && !keys.includes(key)) table.delete(key);
    if (!wanted()) return undefined;
    const pictures = keys.flatMap((key, index) => (table.get(key) === undefined ? [] : [index]));
    const embedded = {
      values: flat(
        pictures.map((index) => table.get(keys[index]) as Float32Array),
        model.dimension,
      ),
      pictures,
    };
    this.completed(collection).set(model.checksum, embedded);
    return embedded;
  }

  private async readTable(path: string, model: ModelSummary): Promise<Table> {
    const kept = await readKept(path);
    const bytes = await kept?.arrayBuffer().catch(() => undefined);
    const index =
      bytes &&
      (await this.engine.openIndex(model.checksum, new Uint8Array(bytes), 'the kept index').catch(() => undefined));
    return new Map(
      index?.paths.map((key, row) => [key, index.embeddings.slice(row * model.dimension, (row + 1) * model.dimension)]),
    );
  }

  /** Adds rows to what is kept: other tabs may have added some, or forgotten pictures. */
  private async keepTable(
    path: string,
    collection: PictureCollection,
    model: ModelSummary,
    table: Table,
  ): Promise<void> {
    await storing(() =>
      changingKept(async () => {
        const current = await collection.keptKeys();
        const rows = [...(await this.readTable(path, model)), ...table].filter(
          ([key, row]) => current.has(key) && row !== undefined,
        );
        const byKey = new Map(rows as [string, Float32Array][]);
        if (byKey.size === 0) return;
        await keep(
          path,
          await this.engine.saveIndex(model.checksum, flat([...byKey.values()], model.dimension), [...byKey.keys()]),
        );
      }),
    );
  }
}

const tableKey = ({ id }: PictureCollection, { checksum }: ModelSummary): string => `${id} ${checksum}`;

function flat(rows: readonly Float32Array[], dimension: number): Float32Array {
  const values = new Float32Array(rows.length * dimension);
  rows.forEach((row, index) => values.set(row, index * dimension));
  return values;
}
