import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { testDevice } from '../support/device.ts';

const example = fileURLToPath(new URL('../../examples/network.ts', import.meta.url));

test('examples/network.ts learns', async () => {
  await testDevice();
  const tsx = createRequire(import.meta.url).resolve('tsx');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, example], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const losses = [...stdout.matchAll(/^step \d+: loss (\S+)$/gm)].map(([, loss]) => Number(loss));
  assert.is(losses.length, 5);
  assert.ok(losses[4] < 0.1 * losses[0], `losses ${losses.join(', ')}`);
});

test("the library guide's example is examples/network.ts", () => {
  const [, ...lines] = readFileSync(example, 'utf8')
    .replace("'../src/index.ts'", "'sketchgrad'")
    .replace("'../src/platform/adapter.ts'", "'sketchgrad/node'")
    .split('\n');
  const guide = readFileSync(new URL('../../docs/library.md', import.meta.url), 'utf8');
  const shown = /## Networks and training\n\n```ts\n(.*?)```/s.exec(guide)?.[1];
  assert.is(shown, lines.slice(1).join('\n'));
});

test.run();
