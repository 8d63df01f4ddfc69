import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SearchAnswer } from '../../src/server/search-service.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { testDevice } from '../support/device.ts';
import { PAGE_MODEL, writePictures } from '../support/page-model.ts';

test('examples/server.ts answers with the neighbours of a picture, refuses others, and ends in order', async () => {
  await testDevice();
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-server-example-'));
  try {
    const [name] = await writePictures(path.join(folder, 'pictures'), 3);
    const index = path.join(folder, 'index.safetensors');
    assert.is(
      (
        await runOnTestDevice([
          'embed',
          '--model',
          PAGE_MODEL,
          '--images',
          path.join(folder, 'pictures'),
          '--out',
          index,
        ])
      ).code,
      0,
    );
    const example = fileURLToPath(new URL('../../examples/server.ts', import.meta.url));
    const child = spawn(
      process.execPath,
      ['--import', createRequire(import.meta.url).resolve('tsx'), example, PAGE_MODEL, index, '0'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ended = new Promise((resolve) => child.on('close', resolve));
    const address = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (text: Buffer) => resolve(/http:\S+/.exec(text.toString())?.[0] ?? ''));
      void ended.then(() => reject(new Error('it ended')));
    });
    const picture = path.join(folder, 'pictures', name, 'noto.png');
    const { neighbours } = (await (
      await fetch(`${address}?k=2`, { method: 'POST', body: new Uint8Array(await readFile(picture)) })
    ).json()) as SearchAnswer;
    assert.is(neighbours.length, 2);
    assert.is(neighbours[0].path, picture);
    assert.is(neighbours[0].label, name);
    assert.is((await fetch(address, { method: 'POST', body: 'no picture' })).status, 415);
    assert.is((await fetch(new URL('/elsewhere', address))).status, 404);
    child.kill('SIGTERM');
    assert.is(await ended, 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
