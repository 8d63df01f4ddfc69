// docs/openapi.json against the server's handler, with a small index behind it that needs no model.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { siteHandler } from '../../src/cli/serve/site.ts';
import { CurrentGallery } from '../../src/cli/serve/current-gallery.ts';
import type { ServedGallery } from '../../src/cli/serve/served-gallery.ts';
import { checkFilter } from '../../src/retrieval/icon-ranking.ts';
import type { IndexedIconSet } from '../../src/retrieval/icon-index.ts';
import { pictureLabel, pictureMask } from '../../src/retrieval/picture-filter.ts';
import { iconFilterOf } from '../../src/server/icon-search-service.ts';
import { openMetrics } from '../../src/server/metrics.ts';
import { likeOf, offsetOf, pageOf, pictureFilterOf, refusing } from '../../src/server/search-parameters.ts';
import { checkAnswer, description, operations, resolve, type Parameter } from '../support/openapi.ts';

const LIMITS = { mostBytes: 20_000, mostPixels: 10_000, mostSide: 5_000, mostRequests: 1 };
const TIMES = { decode: 1, wait: 0, embed: 2, rank: 0.5 };
const paths = ['moon/0.png', 'moon/1.png', 'trip/2.png', 'trip/moon/3.png', 'trip/sun/4.png', 'sun/5.png'];
const stamps = {
  sizes: Float64Array.from(paths, (_, row) => 1000 * row + 500),
  times: Float64Array.from(paths, (_, row) => Date.UTC(2026, row)),
};
const set = (prefix: string, spdx: string, count: number): IndexedIconSet => ({
  prefix,
  title: prefix.toUpperCase(),
  licence: { title: spdx, spdx, url: '' },
  count,
});
const sets = [set('a', 'MIT', 3), set('b', 'CC0-1.0', 3)];
const styles = ['outline', 'solid', 'colour'] as const;

let held: Promise<void> | undefined;

const pictures: ServedGallery = {
  title: '',
  cutOff: 0.5,
  rows: 6,
  about: { pictures: paths.length, model: 'f00d' },
  searcher: {
    async search(sketches, k, _, parameters) {
      const offset = offsetOf(parameters, k);
      const like = likeOf(parameters, sketches.length, { count: paths.length });
      const mask = refusing(() => pictureMask({ paths, stamps }, pictureFilterOf(parameters)));
      await held;
      const rows = [...paths.keys()].filter((row) => mask?.[row] !== 0 && !like.includes(row));
      const found = rows.map((row, place) => ({
        rank: place + 1,
        row,
        path: paths[row],
        label: pictureLabel(paths[row]),
        similarity: 1 - row / 10,
        ...(row > 3 && { belowCutOff: true }),
      }));
      const { page, more } = pageOf(found, offset, k);
      return { nothingLike: false, neighbours: page, more, times: TIMES };
    },
  },
  file: (pathname) =>
    Promise.resolve(pathname === '/pictures/3' ? { type: 'image/webp', content: new Uint8Array(3) } : undefined),
  close: () => Promise.resolve(),
};

const icons: ServedGallery = {
  title: '',
  cutOff: 0.5,
  rows: 6,
  about: { icons: 6, sets, styles, model: 'f00d' },
  searcher: {
    search(sketches, k, _, parameters) {
      const offset = offsetOf(parameters, k);
      const like = likeOf(parameters, sketches.length, { count: 6 });
      const filter = iconFilterOf(parameters);
      refusing(() => checkFilter(sets, filter));
      const found = [...paths.keys()].flatMap((row) => {
        const { prefix, licence } = sets[Math.floor(row / 3)];
        const style = styles[row % 3];
        const passes =
          (filter.sets?.length === 0 || filter.sets?.includes(prefix)) &&
          (filter.styles?.length === 0 || filter.styles?.includes(style)) &&
          (filter.licences?.length === 0 || filter.licences?.includes(licence.spdx)) &&
          !like.includes(row);
        return passes
          ? [{ rank: row + 1, row, icon: `${prefix}:i${row}`, set: prefix, licence, style, similarity: 0.5 }]
          : [];
      });
      const { page, more } = pageOf(found, offset, k);
      return Promise.resolve({ nothingLike: false, neighbours: page, more, times: TIMES });
    },
  },
  file: (pathname) =>
    Promise.resolve(
      pathname === '/icons/b/dot.svg' ? { type: 'image/svg+xml', content: new Uint8Array(3) } : undefined,
    ),
  close: () => Promise.resolve(),
};

const png = new Uint8Array(
  await sharp({ create: { width: 9, height: 9, channels: 3, background: '#ffffff' } })
    .png()
    .toBuffer(),
);
const servers: Server[] = [];
const addresses: string[] = [];
const seen = new Set<string>();
test.before(async () => {
  for (const gallery of [pictures, icons]) {
    const handle = await siteHandler({
      current: new CurrentGallery(gallery),
      limits: LIMITS,
      isLocal: true,
      origins: [],
      metrics: gallery === pictures ? await openMetrics(() => pictures.rows) : undefined,
      onFailure: (error) => assert.unreachable(String(error)),
    });
    const server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    addresses.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
});
test.after(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

const send = async (method: string, address: string, options: RequestInit = {}): Promise<Response> => {
  const response = await fetch(address, { method, ...options });
  seen.add(await checkAnswer(method, address, response));
  return response;
};
const valuesOf = (example: Parameter['example']): string[] => [example].flat().map(String);
const neighboursOf = async (response: Response): Promise<string> => {
  assert.is(response.status, 200);
  return JSON.stringify(((await response.json()) as { neighbours: unknown }).neighbours);
};

test('every described parameter changes the answer, and no other is read', async () => {
  const read = new Set<string>();
  const { get, getAll } = URLSearchParams.prototype;
  URLSearchParams.prototype.get = function (name) {
    read.add(name);
    return get.call(this, name);
  };
  URLSearchParams.prototype.getAll = function (name) {
    read.add(name);
    return getAll.call(this, name);
  };
  try {
    for (const method of ['get', 'post']) {
      const described = (description.paths['/search'][method].parameters ?? []).map(resolve<Parameter>);
      const options = method === 'post' ? { body: png } : {};
      // Alone, GET needs a row.
      const plain = method === 'post' ? '?' : '?like=1&';
      for (const { name, example } of described) {
        const site = ['set', 'style', 'licence'].includes(name) ? addresses[1] : addresses[0];
        const words = valuesOf(example).map((value) => `${name}=${encodeURIComponent(value)}`);
        const without = await neighboursOf(await send(method, `${site}/search${plain}`, options));
        const answer = await neighboursOf(await send(method, `${site}/search${plain}${words.join('&')}`, options));
        assert.is.not(answer, without, `${method} ${name}`);
      }
      assert.equal([...read].sort(), described.map(({ name }) => name).sort());
    }
  } finally {
    Object.assign(URLSearchParams.prototype, { get, getAll });
  }
});

test('every described status occurs, with the described content', async () => {
  const [site, iconSite] = addresses;
  for (const { name, method, address, operation } of operations) {
    const parameters = (operation.parameters ?? []).map(resolve<Parameter>);
    const path = parameters
      .filter((parameter) => parameter.in === 'path')
      .reduce((text, parameter) => text.replace(`{${parameter.name}}`, String(parameter.example)), address);
    const own = `${address.startsWith('/icons') ? iconSite : site}${path}`;
    const isSearch = address === '/search';
    const options = method === 'post' ? { body: png } : {};
    assert.is((await send(method, isSearch ? `${own}?like=0` : own, options)).status, 200, name);
    if ('404' in operation.responses) await send('GET', `${address.startsWith('/icons') ? site : iconSite}${path}`);
    if ('400' in operation.responses) await send(method, `${own}?k=0&like=0`, options);
    seen.add(await checkAnswer(method, own, await fetch(own, { method: isSearch ? 'PUT' : 'DELETE' })));
    // fetch does not send another name.
    const wrong = await new Promise<Response>((resolvePromise, reject) =>
      httpRequest(own, { method, headers: { host: 'other.example' } }, (response) => {
        const { statusCode: status, headers } = response;
        void response
          .toArray()
          .then((chunks) =>
            resolvePromise(
              new Response(Buffer.concat(chunks as Buffer[]), { status, headers: headers as Record<string, string> }),
            ),
          );
      })
        .on('error', reject)
        .end(),
    );
    assert.is(wrong.status, 421);
    seen.add(await checkAnswer(method, own, wrong));
  }
  await send('POST', `${site}/search`, { body: png, headers: { origin: 'https://other.example' } });
  await send('POST', `${site}/search`, { body: new Uint8Array(LIMITS.mostBytes + 1) });
  await send('POST', `${site}/search`, { body: 'no picture, but longer than a signature' });
  const form = new FormData();
  for (const name of ['one', 'two']) form.append(name, new Blob([png]), name);
  assert.is((await send('POST', `${site}/search?like=1`, { body: form })).status, 200);
  let release = (): void => undefined;
  held = new Promise((resolvePromise) => (release = resolvePromise));
  // One of six has the place, so that others of both methods are refused.
  let settled = 0;
  const busy = Array.from({ length: 3 }, () => [
    send('GET', `${site}/search?like=0`),
    send('POST', `${site}/search`, { body: png }),
  ]).flat();
  for (const each of busy) void each.finally(() => ++settled === busy.length - 1 && release());
  const statuses = (await Promise.all(busy)).map(({ status }) => status);
  assert.equal(statuses.sort(), [200, 503, 503, 503, 503, 503]);
  const expected = operations.flatMap(({ name, operation }) =>
    Object.keys(operation.responses).map((status) => `${name} ${status}`),
  );
  // Before there is a gallery every address answers so (serve.test.ts); here only searches do.
  const missing = expected.filter((each) => !seen.has(each) && !(each.endsWith(' 503') && !each.includes('/search')));
  assert.equal(missing, []);
});

test('metrics count requests by route and status, and time the stages', async () => {
  const [site] = addresses;
  const valueOf = async (line: string): Promise<number> => {
    const text = await (await fetch(`${site}/metrics`)).text();
    const found = text.split('\n').find((each) => each.startsWith(`${line} `));
    return found === undefined ? 0 : Number(found.slice(line.length));
  };
  const counted = 'sketchgrad_http_requests_total{route="/search",status="200"}';
  const timed = 'sketchgrad_search_stage_seconds_sum{stage="embed"}';
  const [requests, seconds] = [await valueOf(counted), await valueOf(timed)];
  let release = (): void => undefined;
  held = new Promise((resolvePromise) => (release = resolvePromise));
  const searching = send('GET', `${site}/search?like=0`);
  while ((await valueOf('sketchgrad_searches_in_progress')) !== 1);
  release();
  assert.is((await searching).status, 200);
  // The request is counted when its connection has the whole answer.
  while ((await valueOf(counted)) === requests);
  assert.is(await valueOf(counted), requests + 1);
  assert.ok(Math.abs((await valueOf(timed)) - seconds - TIMES.embed / 1000) < 1e-9);
  assert.is(await valueOf('sketchgrad_searches_in_progress'), 0);
  assert.is(await valueOf('sketchgrad_index_rows'), 6);
  for (const name of ['a', 'b']) await fetch(`${site}/no/${name}?x`);
  assert.is(await valueOf('sketchgrad_http_requests_total{route="other",status="404"}'), 2);
});

test.run();
