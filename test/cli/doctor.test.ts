import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testDevice } from '../support/device.ts';
import { runOnTestDevice } from '../support/device-command.ts';

// Every kernel is checked by test/kernels; the command needs a few to show that it reports what it finds.
test('doctor: the adapter, its limits, and kernels that compute rightly', async () => {
  const { code, stdout, stderr } = await runOnTestDevice(['doctor', '--kernels', 'add,batch_norm']);
  assert.is(code, 0, stderr);
  assert.match(stdout, (await testDevice()).description.device);
  assert.match(stdout, /maxStorageBufferBindingSize +\d+/);
  assert.match(stdout, /batch_norm .* of its bound +right/);
  assert.match(stdout, /^add .* right$/m);
  const [, variants] = /All is well: (\d+) kernel variants/.exec(stdout) ?? [];
  assert.is(Number(variants), stdout.match(/ right$/gm)?.length);
  assert.not.match(stdout, /max_pool/);
});

test('doctor: a kernel that there is not is refused with the nearest name', async () => {
  const { code, stderr } = await runOnTestDevice(['doctor', '--kernels', 'add,max_pol']);
  assert.is(code, 1);
  assert.match(stderr, /--kernels max_pol: there is no such kernel; did you mean max_pool\?/);
});

test.run();
