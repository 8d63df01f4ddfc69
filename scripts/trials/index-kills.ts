/**
 * Kills updates of an index folder at any time, goes on, and compares the result with an undisturbed run byte by byte.
 * Between updates pictures are added, changed and removed.
 *
 *   npx tsx scripts/trials/index-kills.ts [KILLS] [SEED]
 */
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PNG } from 'pngjs';
import { RandomStream } from '../../src/random/philox.ts';

/** More than two chunks. */
const PICTURES = 2500;
/** Pictures added, changed and removed before each update. */
const CHANGES = 1200;
const MOST_KILLS_OF_AN_UPDATE = 4;

const [count = 50, seed = 0] = process.argv.slice(2).map(Number);
const random = new RandomStream(seed, 0, [2, 0]);
const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-index-kills-'));
const at = (...names: string[]): string => path.join(folder, ...names);
const program = at('child.mjs');
const here = path.dirname(fileURLToPath(import.meta.url));

async function writePicture(index: number): Promise<void> {
  const png = new PNG({ width: 4, height: 4 });
  for (let i = 0; i < png.data.length; i++) png.data[i] = i % 4 === 3 ? 255 : random.integer(256);
  await writeFile(at('pictures', `${index}.png`), PNG.sync.write(png));
}

/** @param milliseconds after which it is killed; left out: it may end @returns whether it was killed */
async function update(index: string, milliseconds?: number): Promise<boolean> {
  const child = spawn(process.execPath, [program, index, at('pictures')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: here,
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  if (milliseconds !== undefined) {
    await Promise.race([once(child.stdout, 'data'), closed]);
    await Promise.race([delay(milliseconds), closed]);
    child.kill('SIGKILL');
  }
  const [code, signal] = await closed;
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the update ended with ${code}`);
  return signal === 'SIGKILL';
}

async function contentOf(index: string): Promise<string> {
  const names = (await readdir(index)).sort();
  const contents = await Promise.all(
    names.map(async (name) => (await readFile(path.join(index, name))).toString('base64')),
  );
  return JSON.stringify([names, contents]);
}

let kills = 0;
let updates = 0;
let different = 0;
try {
  await build({
    entryPoints: [path.join(here, 'index-kills-child.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    packages: 'external',
    logLevel: 'error',
    absWorkingDir: path.join(here, '../..'),
  });
  // The program finds its packages beside itself.
  await symlink(path.join(here, '../../node_modules'), at('node_modules'));
  await mkdir(at('pictures'));
  for (let index = 0; index < PICTURES; index++) await writePicture(index);
  const start = performance.now();
  await update(at('index'));
  const longest = performance.now() - start;
  while (kills < count) {
    for (let change = 0; change < CHANGES; change++) {
      const index = random.integer(PICTURES + PICTURES / 4);
      if (random.uniform() < 0.2) await rm(at('pictures', `${index}.png`), { force: true });
      else await writePicture(index);
    }
    for (let left = 1 + random.integer(MOST_KILLS_OF_AN_UPDATE); left > 0; left--) {
      if (!(await update(at('index'), random.integer(Math.ceil(longest))))) break;
      kills++;
      process.stderr.write(`\r${kills} kills, ${updates} updates `);
    }
    await update(at('index'));
    updates++;
    await rm(at('anew'), { recursive: true, force: true });
    await update(at('anew'));
    if ((await contentOf(at('index'))) !== (await contentOf(at('anew')))) {
      different++;
      await cp(at('index'), at(`different-${different}`), { recursive: true });
    }
  }
} finally {
  if (different === 0) await rm(folder, { recursive: true, force: true });
}
process.stdout.write(
  `${kills} kills in ${updates} updates; ${different} indexes differ from one made anew${different > 0 ? `, kept in ${folder}` : ''}\n`,
);
process.exitCode = different === 0 ? 0 : 1;
