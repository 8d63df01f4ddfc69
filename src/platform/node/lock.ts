/**
 * A lock file, by which a folder has one writer at a time. It says who holds it; the lock of a process that is gone is
 * stale and taken over. Whether another machine's process is gone cannot be seen from here, so that its lock stays
 * until a person deletes it.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { BoundedError, isJsonObject } from '../../formats/untrusted.ts';
import { FileWriteError } from './files.ts';

/** Another process works there. The message names it, and the file to delete if it is gone. */
export class LockError extends BoundedError {
  override readonly name = 'LockError';
}

/** What is in the file. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /**
   * The time of the machine's start, and of the process's after that: numbers of processes come again. Empty where the system
   * does not say.
   */
  readonly boot: string;
  readonly started: string;
  readonly since: string;
  /** Identifies this lock. */
  readonly token: string;
}

/** The locks that this process holds. */
const held = new Set<string>();
const ATTEMPTS = 20;

export class Lock {
  private constructor(
    private readonly file: string,
    private readonly content: string,
    private readonly token: string,
  ) {}

  /**
   * Takes a lock, which `release` gives back; a process that ends without it leaves a stale one.
   * @param file in a folder that is there
   * @param what is locked, for the message
   * @throws LockError where a process holds it, FileWriteError where the folder cannot be written
   */
  static async take(file: string, what = path.dirname(file)): Promise<Lock> {
    const token = randomBytes(8).toString('hex');
    const holder: Holder = {
      pid: process.pid,
      host: hostname(),
      boot: bootId(),
      started: startOf(process.pid),
      since: new Date().toISOString(),
      token,
    };
    const content = `${JSON.stringify(holder)}\n`;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await create(file, content)) {
        held.add(token);
        return new Lock(file, content, token);
      }
      const found = await readFile(file, 'utf8').catch(() => undefined);
      // It was released in the meantime.
      if (found === undefined) continue;
      const other = parseHolder(found);
      if (other !== undefined && isAlive(other)) {
        throw new LockError(
          `${what} is in use by process ${other.pid}${other.host === hostname() ? '' : ` on ${other.host}`}, since ${other.since}. Wait until it ends, or write elsewhere (--out); if it is gone, delete ${file}`,
        );
      }
      await putAside(file, found);
    }
    throw new LockError(
      `${file} changes all the time: several processes want ${what}. Let each write elsewhere (--out)`,
    );
  }

  /** @throws LockError where somebody deleted the lock or took it over */
  async assertHeld(): Promise<void> {
    const found = await readFile(this.file, 'utf8').catch(() => '');
    if (found !== this.content)
      throw new LockError(
        `${this.file} is not this process's any more: somebody deleted it, or another process writes there now. This one stops, so that the two do not mix`,
      );
  }

  async release(): Promise<void> {
    held.delete(this.token);
    const found = await readFile(this.file, 'utf8').catch(() => '');
    if (found === this.content) await rm(this.file, { force: true });
  }
}

/** Makes the file with its content at once, so that half of it is never read. @returns false if the file exists */
async function create(file: string, content: string): Promise<boolean> {
  const whole = path.join(
    path.dirname(file),
    `.${path.basename(file)}.${process.pid}-${randomBytes(6).toString('hex')}.partial`,
  );
  try {
    await writeFile(whole, content, { flag: 'wx' });
    try {
      await link(whole, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      // Some file systems have no links.
      await writeFile(file, content, { flag: 'wx' });
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new FileWriteError(file, error);
  } finally {
    await rm(whole, { force: true });
  }
}

/** Takes a stale lock away, unless another process has taken it over in the meantime. */
async function putAside(file: string, stale: string): Promise<void> {
  const aside = path.join(
    path.dirname(file),
    `.${path.basename(file)}.${process.pid}-${randomBytes(6).toString('hex')}.partial`,
  );
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  // Not the stale one: back with it.
  if ((await readFile(aside, 'utf8').catch(() => '')) !== stale) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

function parseHolder(content: string): Holder | undefined {
  try {
    const holder: unknown = JSON.parse(content);
    return isJsonObject(holder) && Number.isSafeInteger(holder.pid) && typeof holder.host === 'string'
      ? (holder as unknown as Holder)
      : undefined;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, host, boot, started, token }: Holder): boolean {
  if (host !== hostname()) return true;
  if (boot !== bootId()) return false;
  if (pid === process.pid && started === startOf(pid)) return held.has(token);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is one, of another user.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return started === startOf(pid);
}

/** Linux tells it; elsewhere it is empty. */
function bootId(): string {
  return readSystemFile('/proc/sys/kernel/random/boot_id').trim();
}

/** The time of a process's start in ticks since the machine's; Linux tells it, and elsewhere it is empty. */
function startOf(pid: number): string {
  const text = readSystemFile(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; the start is the 20th field after it.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function readSystemFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
