import { test } from 'uvu';
import * as assert from 'uvu/assert';
import path from 'node:path';
import { execute, root } from '../support/packed-package.ts';

test('the API reference leaves out no type that it names', async () => {
  // A warning is an error, see typedoc.json.
  await execute(process.execPath, [path.join(root, 'node_modules/typedoc/bin/typedoc'), '--emit', 'none'], {
    cwd: root,
  }).catch(({ stdout, stderr }: { stdout: string; stderr: string }) => assert.unreachable(`${stdout}${stderr}`));
});

test.run();
