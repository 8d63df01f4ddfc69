import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DeviceLostError } from '../../gpu/errors.ts';
import { RequestError } from '../../server/picture-body.ts';
import { isLoopbackAddress, type AllowedOrigins } from '../../server/access.ts';
import { answering, DEFAULT_SEARCH_LIMITS, type Handler } from '../../server/search-handler.ts';
import { openMetrics } from '../../server/metrics.ts';
import { openRetrievalModel, readModelDescription, similarityCutOff } from '../../models/retrieval-model.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS, PRECISION_OPTION, TUNING_OPTIONS } from '../options/shared.ts';
import { closeCommandDevice, openCommandDevice, checkPrecision } from '../device.ts';
import { readModelFile, searchModelPath } from '../files/model-file.ts';
import { ICON_INDEX_OPTION, ICON_ROOT_OPTION } from '../options/icons.ts';
import { STORE_OPTION } from '../options/stores.ts';
import { MIN_SIMILARITY_OPTION, SEARCH_MODEL_OPTION } from '../options/model.ts';
import { VECTOR_STORAGES } from '../../retrieval/exact/stored-vectors.ts';
import { choice, integer, number, text, toggle } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { note, printText } from '../display/progress.ts';
import { serveIcons } from '../serve/icons.ts';
import { serveStore } from '../serve/store.ts';
import { servePictures, type PictureGallery } from '../serve/pictures.ts';
import { CurrentGallery } from '../serve/current-gallery.ts';
import { Reloader } from '../serve/reloader.ts';
import type { ServedGallery } from '../serve/served-gallery.ts';
import { siteHandler } from '../serve/site.ts';
import { stopOnSignal } from '../stop-signal.ts';
import { checkTuning, openTuner } from '../tuning.ts';

export const SERVE_OPTIONS = {
  model: SEARCH_MODEL_OPTION,
  index: text({
    placeholder: 'file',
    help: "The index of the folder's pictures, from sketchgrad embed with the same model. Written if it does not exist, and updated when pictures change (not with --no-watch). Without it, the pictures are embedded at each start",
  }),
  store: STORE_OPTION,
  icons: ICON_INDEX_OPTION,
  root: ICON_ROOT_OPTION,
  minSimilarity: MIN_SIMILARITY_OPTION,
  host: text({
    placeholder: 'address',
    default: '127.0.0.1',
    help: 'The address to listen on. With 0.0.0.0, others can reach the server and see the pictures',
  }),
  port: integer({ minimum: 0, maximum: 65535, default: 8080, help: 'The port; 0 takes a free one' }),
  maxBytes: integer({
    minimum: 1,
    default: DEFAULT_SEARCH_LIMITS.mostBytes,
    help: 'Maximum bytes of a query picture',
  }),
  maxPixels: integer({
    minimum: 1,
    default: DEFAULT_SEARCH_LIMITS.mostPixels,
    help: 'Most pixels of a picture that is sent',
  }),
  maxSide: integer({
    minimum: 1,
    default: DEFAULT_SEARCH_LIMITS.mostSide,
    help: 'Most pixels of the longer side of a picture that is sent',
  }),
  queue: integer({
    minimum: 1,
    default: DEFAULT_SEARCH_LIMITS.mostRequests,
    help: 'Maximum number of searches in progress and waiting; more are answered with 503',
  }),
  cors: text({
    placeholder: 'origins',
    help: "Sites whose pages may search here: origins such as https://example.org, separated by commas, or * for all. Default: only the server's own page",
  }),
  timeout: number({ above: 0, default: 30, help: 'Seconds within which a request must have arrived completely' }),
  metrics: toggle({
    help: 'Serve metrics for Prometheus at /metrics: requests, times of the stages of a search, searches in progress, pictures. Needs npm install prom-client',
  }),
  watch: toggle({
    default: true,
    help: 'Do not watch the folder. By default, pictures that are added, changed or removed later are followed (npm install @parcel/watcher)',
  }),
  vectors: choice(VECTOR_STORAGES, {
    default: 'f32',
    help: "How the pictures' vectors are held in memory, beside one-byte copies that are searched first: f32 for exact cosines, f16 for half the memory, int8 to search by the copies alone",
  }),
  precision: PRECISION_OPTION,
  unsafe: toggle({
    help: "Compute without the driver's index checks and with experimental features, as all other commands do. Faster; for trusted clients",
  }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

/**
 * A connection that a client keeps for its next request is closed after so many milliseconds, later than clients' and
 * proxies' own limits of a minute.
 */
const KEPT_ALIVE = 75_000;

export const serveCommand = defineCommand({
  name: 'serve',
  summary: 'Serve a page and an HTTP API to search pictures or icons by sketch',
  options: SERVE_OPTIONS,
  positionals: {
    name: 'folder',
    help: 'The folder of pictures, or a tar archive or a list as sketchgrad embed --images takes it (not with --icons)',
    optional: true,
  },
  async run(
    {
      model: givenModel,
      index: indexPath,
      store,
      icons,
      root,
      minSimilarity,
      host,
      port,
      maxBytes,
      maxPixels,
      maxSide,
      queue,
      timeout,
      cors,
      metrics: hasMetrics,
      watch,
      vectors,
      adapter,
      precision,
      unsafe,
      ...tuning
    },
    { positionals: [folder, ...others] },
  ) {
    checkTuning(tuning);
    const modelPath = searchModelPath(givenModel);
    if ((folder === undefined) === (icons === undefined))
      throw new OptionError('a folder of pictures or --icons is needed, and not both');
    if (icons !== undefined && indexPath !== undefined)
      throw new OptionError('--index selects pictures, --icons selects icons; give one of the two');
    const hasStore = store !== STORE_OPTION.default;
    if (hasStore && (icons !== undefined || indexPath !== undefined))
      throw new OptionError('--store replaces --index and --icons; give one of them');
    if (others.length > 0)
      throw new OptionError(
        `one folder is served, and there are ${others.length + 1}; put them into one, if necessary by links to folders`,
      );
    const origins = originsOf(cors);
    let served: CurrentGallery | undefined;
    // A missing package is found out before the pictures are embedded.
    const metrics = hasMetrics ? await openMetrics(() => served?.gallery.rows ?? 0) : undefined;
    // Embedding a folder can take hours; a port that is in use is found out before.
    let handler: Handler = starting;
    const server = createServer(
      { requestTimeout: 1000 * timeout, connectionsCheckingInterval: 1000, keepAliveTimeout: KEPT_ALIVE },
      (request, response) => void handler(request, response),
    );
    const bound = await listen(server, port, host);
    let reload = (): void => note('SIGHUP: the model and the index are still being read for the first time');
    const stop = stopOnSignal({ finished: 'searches under way are answered', onHangUp: () => reload() });
    try {
      const device = await openCommandDevice(adapter, { unsafe });
      try {
        checkPrecision(device, precision);
        const tuner = await openTuner(device, tuning);
        const open = async (previous?: ServedGallery): Promise<ServedGallery> => {
          const file = await readModelFile(modelPath, '--model');
          readModelDescription(file, modelPath);
          const cutOff = minSimilarity ?? similarityCutOff(file, modelPath);
          const model = openRetrievalModel(device, file, modelPath, tuner, precision);
          try {
            if (icons !== undefined) return await serveIcons(icons, root, model, file.checksum, cutOff);
            if (hasStore) return await serveStore(folder, store, model, file.checksum, cutOff);
            const circumstances = JSON.stringify([device.description, precision]);
            return await servePictures(
              model,
              {
                folder,
                indexPath,
                modelChecksum: file.checksum,
                circumstances,
                stop: stop.signal,
                cutOff,
                watch,
                vectors,
                onChanges: (counts) => metrics?.countChanges({ ...counts }),
              },
              previous as PictureGallery | undefined,
            );
          } catch (error) {
            model.storage.destroy();
            throw error;
          }
        };
        const current = new CurrentGallery(await open());
        const reloader = new Reloader(current, open, (error) => metrics?.countReload(error));
        try {
          served = current;
          const failed = new AbortController();
          const onFailure = (error: unknown): void => {
            note(`a request failed: ${error instanceof Error ? error.message : String(error)}`);
            // A lost device stays lost: the command ends, so that a supervisor can start it again.
            if (error instanceof DeviceLostError) failed.abort(error);
          };
          const limits = { mostBytes: maxBytes, mostPixels: maxPixels, mostSide: maxSide, mostRequests: queue };
          handler = await siteHandler({
            current,
            limits,
            metrics,
            isLocal: isLoopbackAddress(bound.address),
            origins,
            onFailure,
          });
          reload = () => reloader.reload();
          printText(
            `${current.gallery.title}: http://${host.includes(':') ? `[${host}]` : host}:${bound.port}/ (Ctrl-C ends it)\n`,
          );
          await aborted(AbortSignal.any([stop.signal, failed.signal]));
          await close(server, timeout);
          if (failed.signal.aborted) throw failed.signal.reason;
        } finally {
          await reloader.idle();
          await current.gallery.close();
        }
      } finally {
        closeCommandDevice(device);
      }
    } catch (error) {
      // Ctrl-C while the pictures are embedded.
      if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    } finally {
      await close(server, timeout);
      stop.release();
    }
  },
});

/** @throws OptionError for what is no origin */
function originsOf(cors: string | undefined): AllowedOrigins {
  if (cors === undefined) return [];
  if (cors.trim() === '*') return '*';
  return cors.split(',').map((word) => {
    const origin = word.trim();
    if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
    throw new OptionError(
      `--cors ${origin}: an origin is a scheme, a name and a port, without a path: https://example.org`,
    );
  });
}

/** Answers before there is anything to search. */
const starting: Handler = answering(
  () =>
    Promise.reject(
      new RequestError(503, 'the pictures are still being embedded; come back later', { 'retry-after': '5' }),
    ),
  () => undefined,
);

/** @throws OptionError where the port or the address cannot be had */
async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  server.listen(port, host);
  await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
    const reason =
      cause.code === 'EADDRINUSE' ? `the port ${port} is in use; --port 0 takes a free one` : cause.message;
    throw new OptionError(`${host} cannot be listened on: ${reason}`, { cause });
  });
  return server.address() as AddressInfo;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  );

/** Takes no more requests, and waits for the answers of those under way, so many seconds at most. */
async function close(server: Server, patience: number): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  // A connection that a browser keeps is idle once what it requested is answered.
  const sweep = setInterval(() => server.closeIdleConnections(), 100);
  const end = setTimeout(() => server.closeAllConnections(), 1000 * patience);
  await closed;
  clearInterval(sweep);
  clearTimeout(end);
}
