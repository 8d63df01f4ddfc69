// A server that answers the requests of Qdrant's API that the store sends, with every vector compared. Requests and
// answers have the types that the client's package generates from Qdrant's OpenAPI description; a request with another
// field, another path or without `wait` is refused, as is a filter on a field without an index.
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Schemas } from '@qdrant/js-client-rest';

interface Point {
  readonly id: string;
  readonly vector: readonly number[];
  readonly payload: Readonly<Record<string, unknown>>;
}

interface Collection {
  readonly created: Schemas['CreateCollection'];
  readonly size: number;
  readonly indexes: Map<string, unknown>;
  readonly points: Map<string, Point>;
  /** Answers of its state that are still "yellow", as while the server optimizes. */
  busy: number;
}

export interface QdrantStub {
  readonly url: string;
  readonly collections: ReadonlyMap<string, Collection>;
  /** The API keys that were sent. */
  readonly keys: ReadonlySet<string | undefined>;
  close(): Promise<void>;
}

type Body = Readonly<Record<string, unknown>>;

/** The fields that a request may have here; TypeScript compares them with the description. */
const FIELDS = {
  create: [
    'vectors',
    'quantization_config',
    'shard_number',
    'replication_factor',
  ] satisfies (keyof Schemas['CreateCollection'])[],
  index: ['field_name', 'field_schema'] satisfies (keyof Schemas['CreateFieldIndex'])[],
  upsert: ['points'] satisfies (keyof Schemas['PointsList'])[],
  delete: ['points'] satisfies (keyof Schemas['PointIdsList'])[],
  query: ['query', 'limit', 'filter', 'params', 'with_payload'] satisfies (keyof Schemas['QueryRequest'])[],
  count: ['exact', 'filter'] satisfies (keyof Schemas['CountRequest'])[],
  retrieve: ['ids', 'with_payload', 'with_vector'] satisfies (keyof Schemas['PointRequest'])[],
  scroll: ['limit', 'offset', 'with_payload', 'with_vector'] satisfies (keyof Schemas['ScrollRequest'])[],
};

const PAGE_LIMIT = 100;

export async function startQdrantStub(): Promise<QdrantStub> {
  const collections = new Map<string, Collection>();
  const keys = new Set<string | undefined>();
  const server = createServer((request, response) => {
    keys.add(request.headers['api-key'] as string | undefined);
    void answer(request, collections).then(
      (result) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ result, status: 'ok', time: 0 })),
      (error: Error) =>
        response
          .writeHead(400, { 'content-type': 'application/json' })
          .end(JSON.stringify({ status: { error: error.message }, time: 0 })),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    collections,
    keys,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(request: IncomingMessage, collections: Map<string, Collection>): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  const [, name, rest = ''] = /^\/collections\/([a-z0-9_]+)(\/.*)?$/.exec(pathname) ?? fail(`${pathname} is unknown`);
  const body = request.method === 'GET' ? {} : ((await json(request)) as Body);
  const route = `${request.method} ${rest}`;
  const waited = (): void => void (searchParams.get('wait') === 'true' || fail(`${route} without wait`));
  if (route === 'GET /exists') return { exists: collections.has(name) } satisfies Schemas['CollectionExistence'];
  if (route === 'PUT ') {
    requireFields(body, FIELDS.create);
    const created = body as unknown as Schemas['CreateCollection'];
    const { size, distance } = created.vectors as Schemas['VectorParams'];
    if (distance !== 'Cosine' || !Number.isSafeInteger(size)) fail('the vectors');
    collections.set(name, { created, size, indexes: new Map(), points: new Map(), busy: 0 });
    return true;
  }
  const collection = collections.get(name) ?? fail(`collection ${name} does not exist`);
  const { points } = collection;
  switch (route) {
    case 'GET ':
      return {
        status: collection.busy-- > 0 ? 'yellow' : 'green',
        config: { params: { vectors: collection.created.vectors } },
      };
    case 'PUT /index':
      waited();
      requireFields(body, FIELDS.index);
      collection.indexes.set(String(body.field_name), body.field_schema);
      return { status: 'completed', operation_id: 0 } satisfies Schemas['UpdateResult'];
    case 'PUT /points': {
      waited();
      requireFields(body, FIELDS.upsert);
      const added = body.points as Point[];
      for (const { id, vector } of added) {
        if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) fail(`${id} is no UUID`);
        if (vector.length !== collection.size) fail('the size of a vector');
      }
      for (const point of added) points.set(point.id, point);
      collection.busy = 1;
      return { status: 'completed', operation_id: 1 } satisfies Schemas['UpdateResult'];
    }
    case 'POST /points/delete':
      waited();
      requireFields(body, FIELDS.delete);
      for (const id of body.points as string[]) points.delete(id);
      return { status: 'completed', operation_id: 2 } satisfies Schemas['UpdateResult'];
    case 'POST /points/query': {
      requireFields(body, FIELDS.query);
      const query = body.query as number[];
      const passing = candidates(query, filtered(collection, body.filter), body);
      const scored = passing.map(({ id, vector, payload }) => ({
        id,
        version: 0,
        score: cosine(query, vector),
        payload,
      }));
      scored.sort((a, b) => b.score - a.score);
      const found = scored.slice(0, body.limit as number).map((point) => selected(point, body));
      return { points: found } satisfies Schemas['QueryResponse'];
    }
    case 'POST /points/count':
      requireFields(body, FIELDS.count);
      return { count: filtered(collection, body.filter).length } satisfies Schemas['CountResult'];
    case 'POST /points':
      requireFields(body, FIELDS.retrieve);
      return (body.ids as string[]).flatMap((id) => {
        const point = points.get(id);
        return point === undefined ? [] : [selected({ id, payload: point.payload }, body)];
      });
    case 'POST /points/scroll': {
      requireFields(body, FIELDS.scroll);
      // The order of identifiers; a page is shorter than requested, which a server is free to do.
      const ids = [...points.keys()].sort().filter((id) => body.offset === undefined || id >= (body.offset as string));
      const page = ids.slice(0, Math.min(PAGE_LIMIT, body.limit as number));
      return {
        points: page.map((id) => selected({ id, payload: points.get(id)!.payload }, body)),
        next_page_offset: ids[page.length] ?? null,
      } satisfies Schemas['ScrollResult'];
    }
    default:
      return fail(`${route} is unknown`);
  }
}

/**
 * What is left after the first pass, over one-byte values: their range leaves out the largest hundredth. It shows what
 * the quantization loses and re-scoring brings back; the loss of a graph it does not show.
 */
function candidates(query: readonly number[], points: readonly Point[], body: Body): readonly Point[] {
  const { quantization } = body.params as Schemas['SearchParams'];
  const { rescore, oversampling } = quantization as Schemas['QuantizationSearchParams'];
  if (rescore !== true) fail('scores of one-byte values are no cosines');
  const unit = ({ vector }: Pick<Point, 'vector'>): number[] => {
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    return vector.map((value) => value / length);
  };
  const vectors = points.map(unit);
  const sizes = vectors.flatMap((vector) => vector.map(Math.abs)).sort((a, b) => a - b);
  const largest = sizes[Math.floor(0.99 * sizes.length)];
  const bytes = (vector: readonly number[]): number[] =>
    vector.map((value) => Math.round(127 * Math.max(-1, Math.min(1, value / largest))));
  const queryBytes = bytes(unit({ vector: [...query] }));
  const scores = vectors.map((vector) => bytes(vector).reduce((sum, value, i) => sum + value * queryBytes[i], 0));
  return [...points.keys()]
    .sort((a, b) => scores[b] - scores[a])
    .slice(0, Math.ceil((oversampling ?? 1) * (body.limit as number)))
    .map((place) => points[place]);
}

function filtered({ points, indexes }: Collection, filter: unknown): Point[] {
  if (filter === undefined) return [...points.values()];
  requireFields(filter as Body, ['must'] satisfies (keyof Schemas['Filter'])[]);
  const conditions = (filter as Schemas['Filter']).must as Schemas['FieldCondition'][];
  return [...points.values()].filter(({ payload }) =>
    conditions.every(({ key, match, range, ...others }) => {
      requireFields(others, []);
      if (!indexes.has(key)) fail(`${key} has no index`);
      const values = [payload[key]].flat();
      if (match !== undefined && match !== null) {
        requireFields(match as Body, ['any']);
        const { any } = match as { any: unknown[] };
        return values.some((value) => any.includes(value));
      }
      const { gt, gte, lt, lte } = range as Schemas['Range'];
      return values.every(
        (value) =>
          typeof value === 'number' &&
          value > (gt ?? -Infinity) &&
          value >= (gte ?? -Infinity) &&
          value < (lt ?? Infinity) &&
          value <= (lte ?? Infinity),
      );
    }),
  );
}

/** A point with the fields of its payload that were requested. */
function selected<Answer extends { readonly payload: Point['payload'] }>(point: Answer, body: Body): Answer {
  const fields = body.with_payload as string[];
  return { ...point, payload: Object.fromEntries(fields.map((field) => [field, point.payload[field]])) };
}

function requireFields(body: Body, allowed: readonly string[]): void {
  for (const field of Object.keys(body)) if (!allowed.includes(field)) fail(`the field ${field} is unknown`);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, index) => sum + value * y[index], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function fail(message: string): never {
  throw new Error(message);
}
