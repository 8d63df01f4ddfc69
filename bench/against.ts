// npm run bench -- --against ../other-checkout: both checkouts' kernels, alternating, in one run on one adapter.
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { adapterEnvironment } from '../src/platform/adapter.ts';
import { changesTable, compareResults, summary } from './support/compare.ts';
import type { Result } from './support/measure.ts';
import type { BenchOptions } from './support/options.ts';
import { sampleAlternating } from '../src/benchmark/sampling.ts';
import type { Reply, Request } from './worker.ts';

const here = fileURLToPath(new URL('..', import.meta.url));
/** Some problem's worth of alternating samples; more only narrows an interval that is narrow enough. */
const MOST_MILLISECONDS_A_PROBLEM = 4000;

/** A checkout's worker and the conversation with it, one question at a time. */
interface Checkout {
  ask<Kind extends Reply['kind']>(request: Request, kind: Kind): Promise<Extract<Reply, { kind: Kind }>>;
  stop(): void;
}

export async function compareCheckouts(
  { kernels, shapes, work, adapter, seconds, maxRounds, json }: BenchOptions,
  folder: string,
): Promise<void> {
  const environment = { ...process.env, ...(await adapterEnvironment(adapter)) };
  const other = path.resolve(folder);
  const checkouts = [start(other, environment), start(here, environment)];
  try {
    const lists = await Promise.all(
      checkouts.map((checkout) => checkout.ask({ kind: 'list', selection: { kernels, shapes }, work }, 'problems')),
    );
    const shared = lists[1].keys.filter((key) => lists[0].keys.includes(key));
    for (const key of lists[1].keys) if (!shared.includes(key)) console.error(`${key}: not in ${folder}`);
    const end = performance.now() + 1000 * seconds;
    const results: [Result[], Result[]] = [[], []];
    for (const [index, key] of shared.entries()) {
      const opened: { readonly variant: string }[] = [];
      // One after the other, since each may fill all cores with compiling.
      for (const checkout of checkouts) opened.push(await checkout.ask({ kind: 'open', key }, 'opened'));
      const budget = Math.min(
        MOST_MILLISECONDS_A_PROBLEM,
        Math.max(0, end - performance.now()) / (shared.length - index),
      );
      const sampled = await sampleAlternating(
        checkouts.map((checkout, side) => ({
          name: ['there', 'here'][side],
          run: async (times) => void (await checkout.ask({ kind: 'run', times }, 'done')),
        })),
        // Both sides are wanted to the end, however far apart they are.
        { budget, maxRounds, keepAll: true },
      );
      const [kernel, problem] = key.split(': ', 2);
      sampled.forEach(({ samples, repeats }, side) =>
        results[side].push({
          kernel,
          problem,
          variant: opened[side].variant,
          chosen: true,
          flop: 0,
          bytes: 0,
          dispatches: 0,
          repeats,
          samples,
        }),
      );
      console.error(`[${index + 1}/${shared.length}] ${key}`);
    }
    const changes = compareResults(results[0], results[1], 0);
    if (json === true) console.log(JSON.stringify(changes));
    else {
      if (json !== undefined) writeFileSync(json, `${JSON.stringify(changes)}\n`);
      console.log(`Before: ${other}\nAfter: ${here}\nAlternating in one run, ${new Date().toISOString()}\n`);
      console.log(changesTable(changes));
      console.log(summary(changes));
    }
  } finally {
    for (const checkout of checkouts) checkout.stop();
  }
}

function start(root: string, environment: NodeJS.ProcessEnv): Checkout {
  const worker = path.join(root, 'bench', 'worker.ts');
  if (!existsSync(worker))
    throw new Error(`--against ${root}: no bench/worker.ts there; it must be a checkout of sketchgrad with this bench`);
  if (!existsSync(path.join(root, 'shaders', 'generated', 'shaders.ts')))
    throw new Error(`--against ${root}: run \`npm install\` there first, which embeds its shaders`);
  const child: ChildProcess = fork(worker, {
    cwd: root,
    env: environment,
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`the worker of ${root} ended early (${signal ?? code})`)));
  });
  ended.catch(() => undefined);
  return {
    ask: async (request, kind) => {
      const replied = new Promise<Reply>((resolve) => child.once('message', resolve));
      child.send(request);
      const reply = await Promise.race([replied, ended]);
      if (reply.kind === 'failed') throw new Error(`${root}: ${reply.message}`);
      if (reply.kind !== kind)
        throw new Error(`${root}: answered ${reply.kind} where ${kind} was expected; its bench is of another version`);
      return reply as Extract<Reply, { kind: typeof kind }>;
    },
    stop: () => {
      if (child.connected) child.send({ kind: 'close' } satisfies Request, () => undefined);
      setTimeout(() => child.kill('SIGKILL'), 5000).unref();
    },
  };
}
