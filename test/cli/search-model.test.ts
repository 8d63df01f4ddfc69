// The model that commands search with where none is given.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readModelFile, searchModelPath } from '../../src/cli/model-file.ts';
import { readModelDescription } from '../../src/training/model.ts';

/** Bytes that a package may grow by for its model. */
const MOST_BYTES = 8e6;

test('it is part of the package, small, and a retrieval model', async () => {
  const file = searchModelPath(undefined);
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { files } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { files: string[] };
  assert.ok(files.includes(path.relative(root, file)), `package.json lists ${path.relative(root, file)}`);
  assert.ok((await stat(file)).size <= MOST_BYTES);
  const { imageSize, settings } = readModelDescription(await readModelFile(file, '--model'), file);
  assert.ok(imageSize >= 32 && settings.embedding > 0);
});

test('a model that is given wins', () => assert.is(searchModelPath('my.safetensors'), 'my.safetensors'));

test.run();
