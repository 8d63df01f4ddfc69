import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SearchTimes } from './query-embedder.ts';
import type { Searcher } from './search-handler.ts';

/** Seconds: a stage takes a millisecond when idle and seconds under load. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Addresses with a row or a name in them, by the route that is counted. What is none of the routes is `other`. */
const ROUTES: readonly (readonly [pattern: RegExp, route: string])[] = [
  [/^\/(search|about|metrics|openapi\.json|style\.css|page\.js)?$/, ''],
  [/^\/pictures\//, '/pictures/:row'],
  [/^\/icons\//, '/icons/:set/:name'],
];

/** Metrics of a server in the format of Prometheus. */
export interface ServerMetrics {
  /** Counts a request when its answer ends. */
  countRequest(request: IncomingMessage, response: ServerResponse): void;
  /** A searcher whose searches are counted and timed. */
  observed(searcher: Searcher): Searcher;
  /** Counts pictures that were added, changed or removed while the server ran, and files that cannot be decoded. */
  countChanges(counts: Readonly<Record<string, number>>): void;
  /** Counts a reload of the model and the index. @param error why it failed */
  countReload(error?: unknown): void;
  /** @returns the text for Prometheus and its content type */
  report(): Promise<{ readonly type: string; readonly content: Uint8Array }>;
}

/**
 * @param rows how many pictures or icons are searched now
 * @throws Error where the package prom-client is not installed
 */
export async function openMetrics(rows: () => number): Promise<ServerMetrics> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client').catch((cause: unknown) => {
    throw new Error('metrics (--metrics) are written by the package prom-client: npm install prom-client', { cause });
  });
  const register = new Registry();
  const registers = [register];
  const requests = new Counter({
    name: 'sketchgrad_http_requests_total',
    help: 'Requests that were answered.',
    labelNames: ['route', 'status'],
    registers,
  });
  const stages = new Histogram({
    name: 'sketchgrad_search_stage_seconds',
    help: 'Time of each stage of a search.',
    labelNames: ['stage'],
    buckets: BUCKETS,
    registers,
  });
  const inProgress = new Gauge({
    name: 'sketchgrad_searches_in_progress',
    help: 'Searches that wait or are computed, from the last byte of the picture to the answer.',
    registers,
  });
  const changes = new Counter({
    name: 'sketchgrad_picture_changes_total',
    help: 'Pictures that were added, changed or removed while the server ran, and files that cannot be decoded.',
    labelNames: ['change'],
    registers,
  });
  const reloads = new Counter({
    name: 'sketchgrad_reloads_total',
    help: 'Reloads of the model and the index: done, or the kind of the error that left the old ones in service.',
    labelNames: ['result'],
    registers,
  });
  new Gauge({
    name: 'sketchgrad_index_rows',
    help: 'Pictures or icons that are searched.',
    registers,
    collect() {
      this.set(rows());
    },
  });
  return {
    countRequest({ url = '' }, response) {
      // A client that goes away has no status that it received.
      response.once('close', () =>
        requests.inc({ route: routeOf(url), status: response.writableFinished ? response.statusCode : 'aborted' }),
      );
    },
    countChanges(counts) {
      for (const [change, count] of Object.entries(counts)) changes.inc({ change }, count);
    },
    countReload(error) {
      reloads.inc({ result: error === undefined ? 'done' : error instanceof Error ? error.name : 'Error' });
    },
    observed: (searcher) => ({
      async search(...query) {
        inProgress.inc();
        try {
          const answer = await searcher.search(...query);
          if ('times' in answer)
            for (const [stage, milliseconds] of Object.entries(answer.times as SearchTimes))
              stages.observe({ stage }, (milliseconds as number) / 1000);
          return answer;
        } finally {
          inProgress.dec();
        }
      },
    }),
    report: async () => ({ type: register.contentType, content: Buffer.from(await register.metrics()) }),
  };
}

/** Clients choose addresses, and must not be able to make labels without end. */
function routeOf(url: string): string {
  const [pathname] = url.split('?', 1);
  const found = ROUTES.find(([pattern]) => pattern.test(pathname));
  return found === undefined ? 'other' : found[1] || pathname;
}
