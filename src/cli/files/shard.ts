import { createHash } from 'node:crypto';
import { OptionError } from '../options/option.ts';

/** One of `count` shares of the pictures, that a job of many works on. */
export interface Shard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/**
 * Reads --shard: "2/8" is the third of eight; "auto/8" takes the number from Slurm's SLURM_ARRAY_TASK_ID or from
 * Kubernetes' JOB_COMPLETION_INDEX; "auto" takes the count from Slurm as well.
 * @throws OptionError that says how it is written, or which variable is missing
 */
export function parseShard(text: string, environment: NodeJS.ProcessEnv = process.env): Shard {
  const [, which, ofCount] = /^(auto|\d+)(?:\/(\d+))?$/.exec(text) ?? [];
  if (which === undefined || (which !== 'auto' && ofCount === undefined))
    throw new OptionError(`--shard: ${text} is no shard; write 0/8 to 7/8, auto/8, or auto within a Slurm array`);
  const first = Number(environment.SLURM_ARRAY_TASK_MIN ?? 0);
  const task = environment.SLURM_ARRAY_TASK_ID;
  const index =
    which !== 'auto' ? which : task === undefined ? environment.JOB_COMPLETION_INDEX : String(Number(task) - first);
  const count = ofCount ?? environment.SLURM_ARRAY_TASK_COUNT;
  if (index === undefined)
    throw new OptionError(
      '--shard auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set; write 0/8 to 7/8',
    );
  if (count === undefined)
    throw new OptionError('--shard auto: SLURM_ARRAY_TASK_COUNT is not set; give the number of shards, auto/8');
  const shard = { index: Number(index), count: Number(count) };
  if (!Number.isSafeInteger(shard.index) || !(shard.index >= 0 && shard.index < shard.count))
    throw new OptionError(`--shard: ${shard.index}/${shard.count} is no shard; they count from 0`);
  return shard;
}

/** The shard of a path depends on the path alone, so that new files move no others. */
export function inShard(path: string, { index, count }: Shard): boolean {
  return createHash('sha256').update(path).digest().readUInt32LE(0) % count === index;
}
