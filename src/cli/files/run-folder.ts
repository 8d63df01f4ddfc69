/** The folder of a training run: its checkpoints, its log, and where to go on. */

import { appendFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isJsonObject } from '../../formats/untrusted.ts';
import { FileWriteError, removeLeftovers, writeFileAtomically } from '../../platform/node/files.ts';
import { Lock } from '../../platform/node/lock.ts';
import { parseModel, serializeModel, type Json, type ModelFile } from '../../models/model-file.ts';
import type { LogEntry } from '../../training/log.ts';
import type { Checkpoint } from '../../training/run-options.ts';
import { readModelFile } from './model-file.ts';
import { OptionError } from '../options/option.ts';

const CHECKPOINT = /^checkpoint-(\d{8})\.safetensors$/;
const BEST = 'best.safetensors';
const MODEL = 'model.safetensors';
const LOG = 'log.jsonl';
const LOCK = 'run.lock';

/**
 * A line of the log that the command writes before a training begins: what a run that is killed before its first
 * checkpoint was told.
 */
interface OptionsEntry {
  readonly event: 'options';
  readonly options: Json;
}

export class RunFolder {
  readonly path: string;
  private readonly keep: number;
  private readonly fresh: boolean;
  private lock: Lock | undefined;

  private constructor(folder: string, keep: number, fresh: boolean) {
    this.path = folder;
    this.keep = keep;
    this.fresh = fresh;
  }

  /**
   * @param keep how many checkpoints stay, besides the best
   * @param fresh refuses a folder that holds a run already; of one that was killed before its first checkpoint, there
   * is nothing to lose
   */
  static async open(
    folder: string,
    { keep, fresh }: { readonly keep: number; readonly fresh: boolean },
  ): Promise<RunFolder> {
    const opened = new RunFolder(folder, keep, fresh);
    await opened.requireFree();
    return opened;
  }

  private async requireFree(): Promise<void> {
    const names = await readdir(this.path).catch(() => []);
    if (this.fresh && names.some((name) => CHECKPOINT.test(name) || name === BEST || name === MODEL)) {
      throw new OptionError(
        `--out: ${this.path} holds a run already; continue it (--resume ${this.path}), or give another folder`,
      );
    }
  }

  /**
   * Makes the folder, unless it is there, locks it, and clears away what a killed process left in it. Call before
   * anything is written, and `release` in the end.
   * @throws LockError where another process writes there
   */
  async prepare(): Promise<void> {
    await mkdir(this.path, { recursive: true }).catch((cause: unknown) => {
      throw new FileWriteError(this.path, cause);
    });
    this.lock = await Lock.take(this.file(LOCK));
    // Another process may have come first.
    await this.requireFree();
    await removeLeftovers(this.path);
    // The last line of a killed process may be half a line.
    const log = await readFile(this.file(LOG), 'utf8').catch(() => '');
    if (log !== '' && !log.endsWith('\n')) this.append('\n');
  }

  async release(): Promise<void> {
    await this.lock?.release();
    this.lock = undefined;
  }

  file(name: string): string {
    return path.join(this.path, name);
  }

  /**
   * Stores a checkpoint, then deletes those that need not be kept: at no moment is there none. A checkpoint vouches for
   * the best and the last model, so these are written before it: whenever the process is killed, they are at least as
   * new as the checkpoint that is resumed.
   */
  async save({ file, best, last }: Checkpoint): Promise<void> {
    await this.lock?.assertHeld();
    const bytes = await serializeModel(file);
    if (best) await writeFileAtomically(this.file(BEST), bytes);
    if (last) await writeFileAtomically(this.file(MODEL), await modelForUse(file));
    await writeFileAtomically(this.file(checkpointName(file.step)), bytes);
    // Later ones are of a run that was resumed from an earlier checkpoint, and are written again when it gets there.
    const old = (await checkpointsIn(this.path)).filter((name) => stepOf(name) <= file.step).slice(0, -this.keep);
    for (const name of old) await rm(this.file(name), { force: true });
  }

  /**
   * Makes good what a checkpoint vouches for, before a run goes on from it: the best model so far. Runs of earlier
   * versions, killed between two files, and disks that were full may lack it.
   * @returns the checkpoint, and what to tell; where the best is lost, the checkpoint does not speak of it any more, so
   * that the next validation
   *   gives a new one
   */
  async repair(checkpoint: ModelFile): Promise<{ readonly file: ModelFile; readonly note?: string }> {
    const claimed = isJsonObject(checkpoint.about.best) ? checkpoint.about.best.stepsDone : undefined;
    if (typeof claimed !== 'number') return { file: checkpoint };
    const best = await readSound(this.file(BEST));
    if (best !== undefined && best.step >= claimed) return { file: checkpoint };
    const found = checkpoint.step === claimed ? checkpoint : await readSound(this.file(checkpointName(claimed)));
    if (found !== undefined) {
      await writeFileAtomically(this.file(BEST), await serializeModel(found));
      return {
        file: checkpoint,
        note: `${this.file(BEST)} was missing or damaged, and is written again, of step ${claimed}`,
      };
    }
    return {
      file: { ...checkpoint, about: { ...checkpoint.about, best: null } },
      note: `${this.file(BEST)}, the best model so far, of step ${claimed}, is missing or damaged and cannot be made again; the next validation gives a new one`,
    };
  }

  /**
   * Adds a line to the log. A resumed run's lines follow those of the first; its `start` says from which step on they
   * count.
   */
  log(entry: LogEntry | OptionsEntry): void {
    this.append(`${JSON.stringify(entry)}\n`);
  }

  private append(text: string): void {
    try {
      appendFileSync(this.file(LOG), text);
    } catch (cause) {
      throw new FileWriteError(this.file(LOG), cause);
    }
  }
}

/** Weights and description alone: half-trained or not, this is what is searched with. */
function modelForUse({ state, about, checksum }: ModelFile): Promise<Uint8Array> {
  return serializeModel({ state, about, checksum });
}

/**
 * What to go on from: a checkpoint, the file itself or the latest in a run's folder; or the options of a run that was
 * killed before its first one.
 */
export type Resumable =
  | { readonly checkpoint: { readonly file: ModelFile; readonly name: string } }
  | { readonly options: Json; readonly folder: string };

/**
 * @throws OptionError where there is nothing to go on from, or the latest checkpoint is damaged; it names the one
 * before
 */
export async function findResumable(given: string): Promise<Resumable> {
  const found = await stat(given).catch(() => undefined);
  if (found === undefined)
    throw new OptionError(`--resume: ${given} does not exist; give a run's folder or one of its checkpoints`);
  if (!found.isDirectory()) return { checkpoint: { file: await readModelFile(given, '--resume'), name: given } };
  const checkpoint = await latestCheckpoint(given);
  if (checkpoint !== undefined) return { checkpoint };
  const options = await firstOptions(path.join(given, LOG));
  if (options === undefined)
    throw new OptionError(
      `--resume: ${given} holds no checkpoint-<step>.safetensors; was the run stopped before its first one? Start it again`,
    );
  return { options, folder: given };
}

/**
 * The latest checkpoint in a run's folder, if it has one. @throws OptionError where it is damaged; it names the one
 * before that is sound
 */
export async function latestCheckpoint(
  folder: string,
): Promise<{ readonly file: ModelFile; readonly name: string } | undefined> {
  const [latest, ...earlier] = (await checkpointsIn(folder)).reverse().map((name) => path.join(folder, name));
  if (latest === undefined) return undefined;
  try {
    return { file: await parseModel(await readFile(latest), latest), name: latest };
  } catch (cause) {
    const problem = (cause as Error).message;
    for (const name of earlier) {
      const sound = await readSound(name);
      if (sound !== undefined)
        throw new OptionError(
          `${problem}. The checkpoint before it, of step ${sound.step}, is sound: continue from there with --resume ${name}`,
          { cause },
        );
    }
    throw new OptionError(
      `${problem}. The folder holds no other sound checkpoint; start the run again in another folder`,
      { cause },
    );
  }
}

async function readSound(name: string): Promise<ModelFile | undefined> {
  try {
    return await parseModel(await readFile(name), name);
  } catch {
    return undefined;
  }
}

/** What the run's first start was told. */
async function firstOptions(log: string): Promise<Json | undefined> {
  const text = await readFile(log, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    try {
      const entry: unknown = JSON.parse(line);
      if (isJsonObject(entry) && entry.event === 'options') return entry.options as Json;
    } catch {
      // Half a line.
    }
  }
  return undefined;
}

const checkpointName = (step: number): string => `checkpoint-${String(step).padStart(8, '0')}.safetensors`;
const stepOf = (name: string): number => Number(CHECKPOINT.exec(name)?.[1]);

async function checkpointsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => CHECKPOINT.test(name)).sort();
}

/** A name for a run by the time, such as "2026-11-23-224501". */
export function timestamp(): string {
  return new Date().toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
}
