// The pages of docs/commands are those of the commands as they are.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdir, readFile } from 'node:fs/promises';
import { commandPages } from '../../scripts/command-reference.ts';

const folder = new URL('../../docs/commands/', import.meta.url);

test('docs/commands has a page for each command, with its options', async () => {
  const pages = commandPages();
  assert.equal(
    (await readdir(folder)).sort(),
    [...pages.keys()].sort(),
    'docs/commands has other pages than there are commands: npm run docs:commands',
  );
  for (const [name, page] of pages)
    assert.ok(
      (await readFile(new URL(name, folder), 'utf8')) === page,
      `docs/commands/${name} is not what the command's declaration gives: npm run docs:commands`,
    );
});

test.run();
