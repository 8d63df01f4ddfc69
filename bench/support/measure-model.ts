import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Configuration, Limits, ModelResult } from '../model-worker.ts';

/** Measures a configuration in a process of its own. */
export async function measureModel(job: Configuration & Limits, env: NodeJS.ProcessEnv): Promise<ModelResult> {
  const worker = fileURLToPath(new URL('../model-worker.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', worker, JSON.stringify(job)], {
    env,
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout.trim().split('\n').pop() ?? '') as ModelResult;
}
