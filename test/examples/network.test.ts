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

test("the README's example is examples/network.ts", () => {
  // The README's paths are from the project's folder.
  const lines = readFileSync(example, 'utf8').replaceAll("'../src/", "'./src/").split('\n');
  const shown =
    /## The library\n\n```ts\n(.*?)```/s
      .exec(readFileSync(new URL('../../README.md', import.meta.url), 'utf8'))?.[1]
      .split('\n') ?? [];
  assert.ok(shown.length > 10, 'the README shows an example');
  for (const line of shown) assert.ok(lines.includes(line), `${line} is not in the example`);
});

test.run();
