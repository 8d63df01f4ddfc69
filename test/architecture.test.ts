// The layers of docs/architecture.md: imports go down only, and only some folders use what is not web standard.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The lowest first. Kernels import nothing of src. */
const LAYERS = [
  'shaders',
  'kernels',
  'src/random',
  'src/formats',
  'src/gpu',
  'src/benchmark',
  'src/autodiff',
  'src/tuning',
  'src/nn',
  'src/data',
  'src/retrieval',
  'src/models',
  'src/training',
  'src/exports',
  'src/index.ts',
  'src/platform',
  'src/stores',
  'datasets',
  'src/server',
  'src/cli',
  'bench',
];
/** The only folders that may import of Node. */
const NODE_FOLDERS = ['src/platform', 'src/server', 'src/cli', 'datasets', 'bench'];

const layerOf = (file: string): number => LAYERS.findIndex((layer) => file === layer || file.startsWith(`${layer}/`));

const files = ['src', 'kernels', 'shaders', 'datasets', 'bench'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/'))),
);

/** @param kind of values: without what TypeScript takes away again, imports of types alone */
function importsOf(file: string, kind: 'all' | 'of values' = 'all'): string[] {
  const all = readFileSync(path.join(root, file), 'utf8');
  const source = kind === 'all' ? all : all.replace(/^(import|export) type\b[^;]*;/gm, '');
  return [
    ...source.matchAll(/^(?:import|export)\b[^;]*?\bfrom '([^']+)'/gm),
    ...source.matchAll(/\bimport\('([^']+)'\)/g),
  ].map(([, name]) => name);
}

test('every source file belongs to a layer', () => {
  assert.ok(files.length > 80);
  assert.equal(
    files.filter((file) => layerOf(file) < 0),
    [],
  );
});

test('imports go down the layers only', () => {
  const up = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith('.'))
      .map((name) => path.posix.join(path.posix.dirname(file), name))
      .filter((target) => layerOf(target) > layerOf(file))
      .map((target) => `${file} imports ${target}`),
  );
  assert.equal(up, []);
});

test('kernels and shaders import nothing outside their folders', () => {
  const out = files
    .filter((file) => file.startsWith('kernels/') || file.startsWith('shaders/'))
    .flatMap((file) =>
      importsOf(file)
        .map((name) => (name.startsWith('.') ? path.posix.join(path.posix.dirname(file), name) : name))
        .filter((target) => !target.startsWith('kernels/') && !target.startsWith('shaders/'))
        .map((target) => `${file} imports ${target}`),
    );
  assert.equal(out, []);
});

/** Inference runs without these. */
const TRAINING = [
  /^src\/training\//,
  /^src\/nn\/(optimizers\/|training-)/,
  /^src\/autodiff\/(gradient|generated\/(gradient-rules|ops)|ops\/effects)/,
  /^kernels\/optimizer\//,
];

test('inference imports nothing of training', () => {
  const reached = new Map([['src/exports/retrieval.ts', 'the program']]);
  for (const [file] of reached)
    for (const name of importsOf(file, 'of values').filter((name) => name.startsWith('.'))) {
      const target = path.posix.join(path.posix.dirname(file), name);
      if (!reached.has(target)) reached.set(target, file);
    }
  assert.ok(reached.size > 100);
  const training = [...reached].filter(([file]) => TRAINING.some((pattern) => pattern.test(file)));
  assert.equal(
    training.map(([file, from]) => `${from} imports ${file}`),
    [],
  );
});

test('only the platform backends, the server, the command, data sets and benchmarks import of Node', () => {
  const leaks = files
    .filter((file) => !NODE_FOLDERS.some((folder) => file.startsWith(`${folder}/`)))
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('node:') || name === 'webgpu' || name === 'sharp')
        .map((name) => `${file} imports ${name}`),
    );
  assert.equal(leaks, []);
});

test('no imports go in circles, types included', () => {
  // Whoever is left after all files without imports of others have been taken away, again and again, is in a circle or
  // imports from one.
  const known = new Set(files);
  const targets = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => path.posix.join(path.posix.dirname(file), name))
        .filter((target) => known.has(target)),
    ]),
  );
  const trim = (edges: ReadonlyMap<string, readonly string[]>): Map<string, readonly string[]> => {
    let rest = new Map(edges);
    for (let before = -1; before !== rest.size;) {
      before = rest.size;
      rest = new Map([...rest].filter(([, imports]) => imports.some((target) => rest.has(target))));
    }
    return rest;
  };
  const left = trim(targets);
  const reversed = new Map(
    [...left.keys()].map((file) => [file, [...left.keys()].filter((from) => left.get(from)!.includes(file))]),
  );
  const circles = [...trim(reversed).keys()].sort();
  assert.equal(
    circles.map(
      (file) =>
        `${file} imports ${left
          .get(file)!
          .filter((target) => circles.includes(target))
          .join(', ')}`,
    ),
    [],
  );
});

test.run();
