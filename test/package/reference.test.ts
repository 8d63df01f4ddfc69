import { test } from 'uvu';
import * as assert from 'uvu/assert';
import path from 'node:path';
import { execute, root } from '../support/packed-package.ts';

test('every export has a docstring, and the API reference leaves out no type that it names', async () => {
  // A warning is an error, see typedoc.json. Types are checked by `npm run check`; twice would be 17 seconds more.
  const typedoc = path.join(root, 'node_modules/typedoc/bin/typedoc');
  await execute(process.execPath, [typedoc, '--emit', 'none', '--skipErrorChecking'], { cwd: root }).catch(
    ({ stdout, stderr }: { stdout: string; stderr: string }) => assert.unreachable(`${stdout}${stderr}`),
  );
});

test.run();
