// The README's example, as printed, on the package that npm would publish.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, writeFile } from 'node:fs/promises';
import { adapterEnvironment } from '../../src/platform/adapter.ts';
import { execute, PackageProject } from '../support/packed-package.ts';

test("the README's example runs on the packed package and prints the loss and its gradient", async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const example = /## The library\n\n```ts\n(.*?)```/s.exec(readme)?.[1];
  assert.ok(example !== undefined && example.split('\n').length < 15);
  const project = await PackageProject.make('webgpu', '@webgpu');
  try {
    await writeFile(project.at('example.mjs'), example as string);
    const env = { ...process.env, ...(await adapterEnvironment('swiftshader')) };
    const { stdout } = await execute(process.execPath, ['example.mjs'], { cwd: project.folder, env });
    const numbers = (name: string): number[] =>
      [
        ...(new RegExp(`${name}: Float32Array\\(\\d+\\) \\[([^\\]]*)\\]`).exec(stdout)?.[1] ?? '').matchAll(
          /[-\d.e]+/g,
        ),
      ].map(([value]) => Number(value));
    const softmax = [2, 1, 0].map((x) => Math.exp(x) / (Math.exp(2) + Math.exp(1) + 1));
    // The mean over two rows that mirror each other; the label is the first value of one, the last of the other.
    const dLogits = [(softmax[0] - 1) / 2, softmax[1] / 2, softmax[2] / 2];
    const near = (found: readonly number[], expected: readonly number[]): void => {
      assert.is(found.length, expected.length, stdout);
      found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 16 * 2 ** -24, stdout));
    };
    near(numbers('loss'), [-Math.log(softmax[0])]);
    near(numbers('dLogits'), [...dLogits, ...dLogits.toReversed()]);
  } finally {
    await project.remove();
  }
});

test.run();
