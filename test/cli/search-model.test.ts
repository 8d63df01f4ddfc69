// The model that commands search with where none is given.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { heldOutClass } from '../../datasets/held-out.ts';
import { readModelFile, searchModelPath } from '../../src/cli/files/model-file.ts';
import { readModelDescription } from '../../src/models/retrieval-model.ts';

/** Bytes that a package may grow by for its model. */
const MOST_BYTES = 8e6;

test('it is part of the package, small, and a retrieval model', async () => {
  const file = searchModelPath(undefined);
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { files } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { files: string[] };
  assert.ok(files.includes(path.relative(root, file)), `package.json lists ${path.relative(root, file)}`);
  assert.ok((await stat(file)).size <= MOST_BYTES);
  const { imageSize, sketches, settings } = readModelDescription(await readModelFile(file, '--model'), file);
  assert.ok(imageSize >= 32 && settings.embedding > 0);
  assert.is(sketches, 'fitted');
});

test('it was trained on no class that names an unseen one, and says from which similarity on an answer means something', async () => {
  const { about } = await readModelFile(searchModelPath(undefined), '--model');
  const classes = about.classes as string[];
  assert.ok(classes.length > 1000, `${classes.length}`);
  assert.equal(
    classes.filter((name) => heldOutClass(name) !== undefined),
    [],
  );
  const { nothing } = about.similarity as { nothing: number };
  assert.ok(nothing > 0 && nothing < 1);
});

test('a model that is given wins', () => assert.is(searchModelPath('my.safetensors'), 'my.safetensors'));

test.run();
