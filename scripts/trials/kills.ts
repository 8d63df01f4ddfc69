/**
 * Kills a run again and again, at every rename and at any time, resumes it, and compares the result with an undisturbed
 * run: the best and the last model byte by byte, no lock, no half-written file, every line of the log whole.
 *
 *   npx tsx scripts/trials/kills.ts [COUNT] [SEED]
 *
 * The runs are of kills-child.ts: the files of a training, without its network.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { RandomStream } from '../../src/random/philox.ts';

export interface KillFigures {
  /** Processes that were killed. */
  readonly kills: number;
  /** Those of them that ended themselves right before or after a rename. */
  readonly atRenames: number;
  readonly runs: number;
  /** What was wrong, a line each. */
  readonly failures: readonly string[];
}

/** Kills of one run, before it may end. */
const MOST_KILLS_OF_A_RUN = 4;
/** Renames of an undisturbed run: checkpoints, the best and the last model. */
const RENAMES = 12;
const LONGEST_MILLISECONDS = 60;

/** @param count processes to kill @param seed of where */
export async function runKills(count: number, seed = 0, onProgress?: (kills: number) => void): Promise<KillFigures> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-kills-'));
  const random = new RandomStream(seed, 0, [1, 0]);
  const failures: string[] = [];
  let kills = 0;
  let atRenames = 0;
  let runs = 0;
  try {
    const program = path.join(folder, 'child.mjs');
    // One file, so that a start takes a tenth of what it takes by tsx.
    await build({
      entryPoints: [fileURLToPath(new URL('./kills-child.ts', import.meta.url))],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      packages: 'external',
      logLevel: 'error',
      absWorkingDir: fileURLToPath(new URL('../..', import.meta.url)),
    });
    const undisturbed = path.join(folder, 'undisturbed');
    const first = await runToEnd(program, undisturbed);
    if (first !== '') failures.push(`undisturbed: ${first}`);
    const expected = await filesOf(undisturbed);
    while (kills < count) {
      const run = path.join(folder, `run-${runs++}`);
      const places: string[] = [];
      for (let left = 1 + random.integer(MOST_KILLS_OF_A_RUN); left > 0 && kills < count; left--) {
        const place = random.integer(3);
        const words = place === 0 ? [] : [place === 1 ? 'before' : 'after', String(random.integer(RENAMES))];
        const killed = await runAndKill(program, run, words, random.integer(LONGEST_MILLISECONDS));
        places.push(words.length === 0 ? 'at some time' : words.join(' '));
        if (!killed) break;
        kills++;
        if (words.length > 0) atRenames++;
        onProgress?.(kills);
      }
      const problem = await runToEnd(program, run);
      const found = problem === '' ? differencesOf(expected, await filesOf(run)) : problem;
      if (found !== '') failures.push(`run ${runs - 1}, killed ${places.join(', ')}: ${found}`);
      await rm(run, { recursive: true });
    }
    return { kills, atRenames, runs, failures };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns what it said where it failed */
async function runToEnd(program: string, run: string): Promise<string> {
  const child = spawn(process.execPath, [program, run], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: path.dirname(fileURLToPath(import.meta.url)),
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0 ? '' : `exit ${code}: ${said}`;
}

/**
 * @param words by which it ends itself; none: it is killed after a while @returns whether it was killed before its end
 */
async function runAndKill(
  program: string,
  run: string,
  words: readonly string[],
  milliseconds: number,
): Promise<boolean> {
  const child = spawn(process.execPath, [program, run, ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
    cwd: path.dirname(fileURLToPath(import.meta.url)),
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  if (words.length === 0) {
    await Promise.race([once(child.stdout, 'data'), closed]);
    await Promise.race([delay(milliseconds), closed]);
    child.kill('SIGKILL');
  }
  const [, signal] = await closed;
  return signal === 'SIGKILL';
}

/** By name; the log, whose lines depend on the kills, only if its lines are whole. */
async function filesOf(run: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of (await readdir(run)).sort()) {
    const content = await readFile(path.join(run, name));
    if (name === 'log.jsonl') {
      // A killed process may have left half a line; the next one ends it.
      files.set(name, content.toString().endsWith('\n') ? 'whole' : 'cut');
    } else files.set(name, content.toString('base64'));
  }
  return files;
}

function differencesOf(expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string {
  const names = new Set([...expected.keys(), ...found.keys()]);
  return [...names]
    .flatMap((name) =>
      !found.has(name)
        ? `${name} is missing`
        : !expected.has(name)
          ? `${name} is left`
          : found.get(name) !== expected.get(name)
            ? `${name} differs`
            : [],
    )
    .join(', ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count = 500, seed = 0] = process.argv.slice(2).map(Number);
  const { kills, atRenames, runs, failures } = await runKills(
    count,
    seed,
    (done) => done % 50 === 0 && process.stderr.write(`${done} kills\n`),
  );
  process.stdout.write(
    `${kills} kills (${atRenames} at renames) in ${runs} runs, ${failures.length} runs that ended otherwise\n${failures.map((line) => `  ${line}\n`).join('')}`,
  );
  process.exitCode = failures.length === 0 ? 0 : 1;
}
