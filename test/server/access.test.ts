// Who may use a server: names of this machine, and pages of which sites.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkOrigin, isLoopbackAddress, requireLoopbackHost, type AllowedOrigins } from '../../src/server/access.ts';
import { RequestError } from '../../src/server/picture-body.ts';

const request = (headers: Record<string, string>, method = 'POST'): IncomingMessage =>
  ({ headers, method }) as unknown as IncomingMessage;

function statusOf(use: () => void): number {
  try {
    use();
    return 200;
  } catch (error) {
    assert.instance(error, RequestError);
    return (error as RequestError).status;
  }
}

test('all of 127.0.0.0/8 and ::1 is this machine alone', () => {
  for (const address of ['127.0.0.1', '127.0.0.2', '127.255.1.9', '::1', '::ffff:127.0.0.1'])
    assert.ok(isLoopbackAddress(address), address);
  for (const address of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '::2',
    'fe80::1',
    '::ffff:10.0.0.1',
    '127.example',
    '',
  ])
    assert.not(isLoopbackAddress(address), address);
});

test('a server that only this machine reaches answers to its names, in any case and at any port', () => {
  for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1', '127.0.0.2:1', '[::1]', '[::1]:8080'])
    assert.is(
      statusOf(() => requireLoopbackHost(request({ host }))),
      200,
      host,
    );
  for (const host of ['rebound.example', 'localhost.example', '127.0.0.1.example', '10.0.0.1', '[::2]', 'a[::1]', ''])
    assert.is(
      statusOf(() => requireLoopbackHost(request({ host }))),
      421,
      host,
    );
});

function originStatus(
  headers: Record<string, string>,
  allowed: AllowedOrigins = [],
  method = 'POST',
): { status: number; set: Record<string, string>; preflight: boolean } {
  const set: Record<string, string> = {};
  let preflight = false;
  const response = {
    setHeader: (name: string, value: string) => void (set[name] = value),
    writeHead: (status: number, more: object) => (
      Object.assign(set, { status: String(status), ...more }),
      { end: () => undefined }
    ),
  };
  const status = statusOf(() => {
    preflight = checkOrigin(
      request({ host: 'localhost:8080', ...headers }, method),
      response as unknown as ServerResponse,
      allowed,
    );
  });
  return { status, set, preflight };
}

test('pages of other sites may not search; the own page and programs may', () => {
  for (const headers of [
    {},
    { origin: 'http://localhost:8080' },
    { origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
  ] as Record<string, string>[])
    assert.is(originStatus(headers).status, 200, JSON.stringify(headers));
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:9090' },
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[])
    assert.is(originStatus(headers).status, 403, JSON.stringify(headers));
  assert.is(
    originStatus({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, [], 'GET').status,
    200,
    'what is read is kept from it by Cross-Origin-Resource-Policy',
  );
});

test('--cors lets the named sites in, and answers what a browser asks before', () => {
  const asked = originStatus({ origin: 'https://a.example', 'sec-fetch-site': 'cross-site' }, ['https://a.example']);
  assert.equal(
    [asked.status, asked.set['access-control-allow-origin'], asked.set.vary],
    [200, 'https://a.example', 'origin'],
  );
  assert.is(originStatus({ origin: 'https://b.example' }, ['https://a.example']).status, 403);
  assert.is(originStatus({ origin: 'https://b.example' }, '*').set['access-control-allow-origin'], '*');
  const before = originStatus(
    { origin: 'https://a.example', 'access-control-request-method': 'POST' },
    ['https://a.example'],
    'OPTIONS',
  );
  assert.equal(
    [before.preflight, before.set.status, before.set['access-control-allow-methods']],
    [true, '204', 'GET, HEAD, POST'],
  );
});

test.run();
