/**
 * A store in a Qdrant server or cluster: HNSW over one-byte values in memory, and cosines of the candidates from the
 * float32 vectors on disk. A filter is applied while the graph is searched, by indexes of the payload.
 */
import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import { pictureLabel, type PictureFilter } from '../retrieval/picture-filter.ts';
import { collectionName } from './collection-name.ts';
import { optionalPackage } from './optional-package.ts';
import {
  batches,
  byScore,
  checkedRows,
  folderPrefix,
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

/** Rows of the graph that a search keeps as candidates. */
const EF = 200;
/** Candidates for each result whose cosine is computed from the float32 vectors. */
const OVERSAMPLING = 4;
/** Points of a request: 1.5 MB of JSON at 128 components. */
const POINTS_A_REQUEST = 1000;
const IDS_A_REQUEST = 10_000;
/** While the server builds its index, its state is requested at this interval, in milliseconds. */
const POLL = 500;
const INSTALL = '@qdrant/js-client-rest';

/** What is stored of a picture besides its vector. */
interface Payload {
  readonly path: string;
  /** All folders that contain it, each as `folderPrefix` writes it. */
  readonly folders: readonly string[];
  readonly label: string;
  readonly size: number;
  readonly time: number;
  readonly digest: string;
}

const PAYLOAD_INDEXES = { folders: 'keyword', label: 'keyword', size: 'float', time: 'float' } as const;

/** @see openStore */
export class QdrantStore implements VectorStore {
  private constructor(
    private readonly client: QdrantClient,
    private readonly collection: string,
    readonly dimension: number,
  ) {}

  /**
   * @param url https://host:6333; a name behind # separates collections in one server, `?shards=4&replicas=2` divides
   * and copies a collection that is created. The API key is read from QDRANT_API_KEY
   */
  static async open(url: string, apiKey: string | undefined, content: StoreContent): Promise<QdrantStore> {
    const address = new URL(url);
    const shown = `qdrant:${address.protocol}//${address.host}${address.hash}`;
    const collection = tableName(collectionName(address), content.modelChecksum);
    const { QdrantClient } = await optionalPackage(() => import('@qdrant/js-client-rest'), shown, INSTALL);
    const settings = address.searchParams;
    const server = `${address.protocol}//${address.host}${address.pathname}`;
    // The check of versions would write to the console.
    const client = new QdrantClient({ url: server, apiKey, port: portOf(address), checkCompatibility: false });
    const failed = (cause: unknown): never => {
      throw new StoreError(`${shown}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    };
    if ((await client.collectionExists(collection).catch(failed)).exists) {
      const { config } = await client.getCollection(collection).catch(failed);
      const stored = (config.params.vectors as Schemas['VectorParams'] | undefined)?.size ?? 0;
      requireDimension(shown, stored, content);
      return new QdrantStore(client, collection, stored);
    }
    const { dimension } = content;
    if (dimension === undefined) return missingStore(shown, content.modelChecksum);
    await client
      .createCollection(collection, {
        vectors: { size: dimension, distance: 'Cosine', on_disk: true },
        quantization_config: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
        shard_number: countOf(settings, 'shards'),
        replication_factor: countOf(settings, 'replicas'),
      })
      .catch(failed);
    for (const [field_name, field_schema] of Object.entries(PAYLOAD_INDEXES))
      await client.createPayloadIndex(collection, { field_name, field_schema, wait: true }).catch(failed);
    return new QdrantStore(client, collection, dimension);
  }

  /** Each 1,000 pictures are a request of their own, which is stored whole or not at all. */
  async add(pictures: readonly StoredPicture[]): Promise<void> {
    for (const batch of batches(checkedRows(pictures, this.dimension), POINTS_A_REQUEST))
      await this.client.upsert(this.collection, {
        wait: true,
        points: batch.map(({ vector, ...picture }) => ({
          id: pathId(picture.path),
          vector: Array.from(vector),
          payload: { ...payloadOf(picture) },
        })),
      });
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const batch of batches(paths, IDS_A_REQUEST))
      await this.client.delete(this.collection, { wait: true, points: batch.map(pathId) });
  }

  async search(query: Float32Array, k: number, filter: PictureFilter = {}): Promise<StoreHit[]> {
    requireVector('the query', query, this.dimension);
    const { points } = await this.client.query(this.collection, {
      query: Array.from(query),
      limit: k,
      filter: qdrantFilter(filter),
      params: { hnsw_ef: Math.max(EF, 2 * k), quantization: { rescore: true, oversampling: OVERSAMPLING } },
      with_payload: ['path', 'digest'],
    });
    return byScore(points.map(({ payload, score }) => ({ ...(payload as Pick<Payload, 'path' | 'digest'>), score })));
  }

  async count(filter: PictureFilter = {}): Promise<number> {
    return (await this.client.count(this.collection, { exact: true, filter: qdrantFilter(filter) })).count;
  }

  async digests(paths: readonly string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const batch of batches(paths, POINTS_A_REQUEST)) {
      const points = await this.client.retrieve(this.collection, {
        ids: batch.map(pathId),
        with_payload: ['path', 'digest'],
        with_vector: false,
      });
      for (const { payload } of points) found.set(...pairOf(payload as Pick<Payload, 'path' | 'digest'>));
    }
    return found;
  }

  async *paths(): AsyncGenerator<readonly string[], void, undefined> {
    for (let offset: Schemas['ScrollRequest']['offset']; ;) {
      const page = await this.client.scroll(this.collection, {
        limit: IDS_A_REQUEST,
        offset,
        with_payload: ['path'],
        with_vector: false,
      });
      yield page.points.map(({ payload }) => (payload as Pick<Payload, 'path'>).path);
      if (page.next_page_offset === null || page.next_page_offset === undefined) return;
      offset = page.next_page_offset as Schemas['ExtendedPointId'];
    }
  }

  /** Waits until the server has built its index; it does so by itself. @throws StoreError if the server reports an error */
  async flush(): Promise<void> {
    for (;;) {
      const { status } = await this.client.getCollection(this.collection);
      if (status === 'green' || status === 'grey') return;
      if (status === 'red') throw new StoreError(`qdrant: the collection ${this.collection} reports an error`);
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const pairOf = ({ path, digest }: Pick<Payload, 'path' | 'digest'>): [string, string] => [path, digest];

function payloadOf({ path, size, time, digest }: Omit<StoredPicture, 'vector'>): Payload {
  const names = path.split('/').slice(0, -1);
  const folders = names.map((_, index) => `${names.slice(0, index + 1).join('/')}/`);
  return { path, folders, label: pictureLabel(path), size, time, digest };
}

function qdrantFilter({
  folders = [],
  labels = [],
  after,
  before,
  minSize,
  maxSize,
}: PictureFilter): Schemas['Filter'] | undefined {
  const must: Schemas['FieldCondition'][] = [];
  if (folders.length > 0) must.push({ key: 'folders', match: { any: folders.map(folderPrefix) } });
  if (labels.length > 0) must.push({ key: 'label', match: { any: [...labels] } });
  // 0 means that the source of the picture did not tell.
  if (after !== undefined || before !== undefined) must.push({ key: 'time', range: { gt: 0, gte: after, lt: before } });
  if (minSize !== undefined || maxSize !== undefined)
    must.push({ key: 'size', range: { gt: 0, gte: minSize, lte: maxSize } });
  return must.length === 0 ? undefined : { must };
}

/** The client takes 6333 where an address has no port of its own. */
const portOf = ({ port, protocol }: URL): number => (port !== '' ? Number(port) : protocol === 'https:' ? 443 : 6333);

/** @throws StoreError */
function countOf(settings: URLSearchParams, name: string): number | undefined {
  const word = settings.get(name);
  if (word === null) return undefined;
  if (/^[1-9]\d{0,3}$/.test(word)) return Number(word);
  throw new StoreError(`${name}=${word}: a whole number above 0 is needed`);
}
