// The house as docs/architecture.md draws it: imports go down the floors only, and what is not web standard stays at
// the doors.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** From the ground up. */
const FLOORS = [
  'src/random',
  'src/formats',
  'src/gpu',
  'kernels',
  'src/autodiff',
  'src/tuning',
  'src/nn',
  'src/data',
  'src/retrieval',
  'src/training',
  'src/exports',
  'src/index.ts',
  'src/platform',
  'datasets',
  'src/server',
  'src/cli',
];
/** The only folders that may know of Node. */
const DOORS = ['src/platform', 'src/server', 'src/cli', 'datasets'];

const floorOf = (file: string): number => FLOORS.findIndex((floor) => file === floor || file.startsWith(`${floor}/`));

const files = ['src', 'kernels', 'datasets'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/'))),
);

function importsOf(file: string): string[] {
  const source = readFileSync(path.join(root, file), 'utf8');
  return [
    ...source.matchAll(/^(?:import|export)\b[^;]*?\bfrom '([^']+)'/gm),
    ...source.matchAll(/\bimport\('([^']+)'\)/g),
  ].map(([, name]) => name);
}

test('every source file belongs to a floor', () => {
  assert.ok(files.length > 80);
  assert.equal(
    files.filter((file) => floorOf(file) < 0),
    [],
  );
});

test('imports go down the floors only', () => {
  const up = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith('.'))
      .map((name) => path.posix.join(path.posix.dirname(file), name))
      .filter((target) => floorOf(target) > floorOf(file))
      .map((target) => `${file} imports ${target}`),
  );
  assert.equal(up, []);
});

test('only the doors know of Node', () => {
  const leaks = files
    .filter((file) => !DOORS.some((door) => file.startsWith(`${door}/`)))
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('node:') || name === 'webgpu' || name === 'sharp')
        .map((name) => `${file} imports ${name}`),
    );
  assert.equal(leaks, []);
});

test.run();
