// The command as the package has it, in JavaScript: a process of it starts in a third of the time that tsx needs to
// translate the sources as they are loaded.
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { onceInARun } from './run-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What `npm run build` translates, and what the package has beside it. */
const SOURCES = ['src', 'kernels', 'shaders', 'datasets'];
const BESIDE = ['datasets', 'docs', 'models', 'web', 'node_modules'];

/** The path of the command's program, translated once in a run of the tests. */
export async function builtCommand(): Promise<string> {
  const folder = await onceInARun('command', async (target) => {
    const files = (
      await Promise.all(
        SOURCES.map(async (source) =>
          (await readdir(path.join(root, source), { recursive: true })).map((name) => path.join(source, name)),
        ),
      )
    ).flat();
    await Promise.all(files.map((file) => translate(file, path.join(target, 'dist'))));
    await build({
      entryPoints: [path.join(root, 'web/serve/main.ts')],
      outfile: path.join(target, 'dist/web/page.js'),
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      logLevel: 'warning',
    });
    await mkdir(path.join(target, 'bin'));
    // No links: the program looks for the sources from its own place.
    for (const file of ['package.json', 'bin/sketchgrad.mjs'])
      await copyFile(path.join(root, file), path.join(target, file));
    for (const name of BESIDE) await symlink(path.join(root, name), path.join(target, name));
  });
  return path.join(folder, 'bin/sketchgrad.mjs');
}

async function translate(file: string, target: string): Promise<void> {
  const out = path.join(target, file);
  if (!/\.(ts|json)$/.test(file) || file.endsWith('.d.ts')) return;
  await mkdir(path.dirname(out), { recursive: true });
  if (file.endsWith('.json')) return copyFile(path.join(root, file), out);
  const { code } = await transform(await readFile(path.join(root, file), 'utf8'), {
    loader: 'ts',
    target: 'node20.10',
  });
  // As TypeScript's rewriteRelativeImportExtensions does.
  const imports = code.replace(/((?:\bfrom|\bimport)\s*\(?\s*["']\.[^"']+)\.ts(["'])/g, '$1.js$2');
  await writeFile(out.replace(/\.ts$/, '.js'), imports);
}
