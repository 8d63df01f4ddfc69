import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { testDevice } from '../support/device.ts';

test('examples/op.ts: an op from outside the engine is right, and so is its gradient', async () => {
  await testDevice();
  const example = fileURLToPath(new URL('../../examples/op.ts', import.meta.url));
  const tsx = createRequire(import.meta.url).resolve('tsx');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, example], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const errors = [...stdout.matchAll(/relative error (\S+)$/gm)].map(([, error]) => Number(error));
  assert.is(errors.length, 2);
  // exp may be off by 3 + 2 |x| units in the last place, |x| <= 2; the gradient has two factors of it and three
  // roundings.
  assert.ok(errors[0] <= 7 * 2 ** -23, `y: ${errors[0]}`);
  assert.ok(errors[1] <= (2 * 7 + 3) * 2 ** -23, `dx: ${errors[1]}`);
});

test.run();
