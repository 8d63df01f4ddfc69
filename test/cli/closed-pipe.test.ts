// What the command does when nobody reads its output any more.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { builtCommand } from '../support/built-command.ts';

test('a command whose output is no longer read ends quietly, with the exit code of SIGPIPE', async () => {
  const child = spawn(process.execPath, [await builtCommand(), 'data', 'how'], { stdio: ['ignore', 'pipe', 'pipe'] });
  // The reader is gone before the command writes its first byte.
  child.stdout.destroy();
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.is(code, 141, errors);
  assert.is(errors, '');
});

test.run();
