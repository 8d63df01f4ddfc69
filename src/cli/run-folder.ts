/** The folder of a training run: its checkpoints, its log, and where to go on. */

import { appendFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { removeLeftovers, writeFileAtomically } from '../platform/node/files.ts';
import { serializeModel, type ModelFile } from '../training/checkpoint.ts';
import type { Checkpoint, LogEntry } from '../training/run.ts';
import { OptionError } from './options.ts';

const CHECKPOINT = /^checkpoint-(\d{8})\.safetensors$/;
const LOG = 'log.jsonl';

export class RunFolder {
  readonly path: string;
  private readonly keep: number;

  private constructor(folder: string, keep: number) {
    this.path = folder;
    this.keep = keep;
  }

  /**
   * @param keep how many checkpoints stay, besides the best
   * @param fresh refuses a folder that holds a run already
   */
  static async open(folder: string, { keep, fresh }: { readonly keep: number; readonly fresh: boolean }): Promise<RunFolder> {
    const names = await readdir(folder).catch(() => []);
    if (fresh && names.some((name) => CHECKPOINT.test(name) || name === LOG)) {
      throw new OptionError(`--out: ${folder} holds a run already; go on with it (--resume ${folder}), or give another folder`);
    }
    return new RunFolder(folder, keep);
  }

  /** Makes the folder, unless it is there, and clears away what a killed process left in it. Call before anything is written. */
  async prepare(): Promise<void> {
    await mkdir(this.path, { recursive: true });
    await removeLeftovers(this.path);
    // The last line of a killed process may be half a line.
    const log = await readFile(this.file(LOG), 'utf8').catch(() => '');
    if (log !== '' && !log.endsWith('\n')) appendFileSync(this.file(LOG), '\n');
  }

  file(name: string): string {
    return path.join(this.path, name);
  }

  /** Stores a checkpoint, then deletes those that need not be kept: at no moment is there none. */
  async save({ file, best, last }: Checkpoint): Promise<void> {
    const bytes = await serializeModel(file);
    await writeFileAtomically(this.file(`checkpoint-${String(file.step).padStart(8, '0')}.safetensors`), bytes);
    if (best) await writeFileAtomically(this.file('best.safetensors'), bytes);
    if (last) await writeFileAtomically(this.file('model.safetensors'), await modelForUse(file));
    const old = (await checkpointsIn(this.path)).slice(0, -this.keep);
    for (const name of old) await rm(this.file(name), { force: true });
  }

  /** Adds a line to the log. A resumed run's lines follow those of the first; its `start` says from which step on they count. */
  log(entry: LogEntry): void {
    appendFileSync(this.file(LOG), `${JSON.stringify(entry)}\n`);
  }
}

/** Weights and description alone: half-trained or not, this is what is searched with. */
function modelForUse({ state, about, checksum }: ModelFile): Promise<Uint8Array> {
  return serializeModel({ state, about, checksum });
}

/** The checkpoint to go on from: the file itself, or the latest in a run's folder. @throws OptionError where there is none */
export async function findCheckpoint(given: string): Promise<string> {
  const found = await stat(given).catch(() => undefined);
  if (found === undefined) throw new OptionError(`--resume: ${given} does not exist; give a run's folder or one of its checkpoints`);
  if (!found.isDirectory()) return given;
  const latest = (await checkpointsIn(given)).at(-1);
  if (latest === undefined) throw new OptionError(`--resume: ${given} holds no checkpoint-<step>.safetensors; was the run stopped before its first one? Start it anew`);
  return path.join(given, latest);
}

async function checkpointsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => CHECKPOINT.test(name)).sort();
}
