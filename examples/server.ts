// Answers searches over HTTP: POST a picture, get its neighbors out of an index that sketchgrad embed made.
//   npx tsx examples/server.ts MODEL INDEX [port]
//   curl --data-binary @sketch.png 'http://127.0.0.1:8080/search?k=5'
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { assertSameModel, openIndex, openRetrievalModel, parseModel } from '../src/index.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../src/platform/adapter.ts';
import { searchHandler, SearchService } from '../src/server/index.ts';

const [modelFile, indexFile, port = '8080'] = process.argv.slice(2);
await ensureAdapter();
const device = await openDevice();
const file = await parseModel(await readFile(modelFile), modelFile);
const index = openIndex(await readFile(indexFile), indexFile);
assertSameModel(index, file.checksum);
const model = openRetrievalModel(device, file, modelFile);
const service = await SearchService.open(model, index);

// The boundary: what a picture may be, how large, and how many are searched for at once.
const search = searchHandler(service, { mostBytes: 8e6, mostPixels: 5e7, mostRequests: 64 });
const server = createServer({ requestTimeout: 30_000 }, (request, response) => {
  if (request.url?.split('?')[0] === '/search') void search(request, response);
  else response.writeHead(404).end();
});
server.listen(Number(port), '127.0.0.1', () =>
  console.log(`${index.paths.length} pictures, http://127.0.0.1:${(server.address() as { port: number }).port}/search`),
);

const stop = (): void => {
  // Searches that are under way get their answers; then the device goes.
  server.close(
    () =>
      void service.close().then(() => {
        model.storage.destroy();
        device.dispose();
        releaseGpu();
      }),
  );
  server.closeIdleConnections();
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
