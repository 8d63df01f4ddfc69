import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { BoundedError } from '../../formats/untrusted.ts';

/** A file that cannot be written. The message names it, and what to do. */
export class FileWriteError extends BoundedError {
  override readonly name = 'FileWriteError';
  /** The code of the system's error, such as ENOSPC. */
  readonly code: string | undefined;

  constructor(
    readonly path: string,
    cause: unknown,
  ) {
    const { code, message } = cause as NodeJS.ErrnoException;
    super(`${path} cannot be written: ${REASONS[code ?? ''] ?? (cause instanceof Error ? message : String(cause))}`, {
      cause,
    });
    this.code = code;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full (ENOSPC); make room, or give a folder on another disk',
  EDQUOT: 'your share of the disk is used up (EDQUOT); make room, or give a folder on another disk',
  EROFS: 'the disk is read-only (EROFS); give a folder on another disk',
  EACCES: 'you may not write there (EACCES); give another folder, or get the right to',
};

/** What a test makes happen around the moment at which a file takes its place: an error, or the end of the process. */
export const renameHooks: { before?: (target: string) => void; after?: (target: string) => void } = {};

/** `.<name of the file>.<process>-<random>.partial`: hidden, and no name that anything else would have. */
const TEMPORARY_NAME = /^\..+\.(\d+)-[0-9a-f]{12}\.partial$/;

/** Temporary files that this process is writing now. */
const inProgress = new Set<string>();

/** Node reads at most 2 GiB by one call. */
const PIECE_BYTES = 2 ** 30;

interface ReadOptions {
  readonly pieceBytes?: number;
  readonly allocate?: (size: number) => Uint8Array;
}

/**
 * Memory that one file after the other is read into. New memory for each of many files makes the garbage collector run
 * again and again, over everything that is alive.
 */
export class ReadBuffer {
  private memory = new Uint8Array(0);

  /** @returns the file's bytes, valid until the next call */
  read(name: string): Promise<Uint8Array> {
    return readLargeFile(name, {
      allocate: (size) => {
        if (this.memory.length < size) this.memory = newArray(name, size);
        return this.memory.subarray(0, size);
      },
    });
  }
}

/**
 * Reads a whole file of any size, in pieces. The largest that fits is the largest array of the runtime: 4 GiB in Node
 * 20, more from Node 22 on.
 * @param allocate gives the memory, as many bytes; default: new memory
 * @throws the system's error where it cannot be read; a RangeError that says how large it is where no array can hold it
 */
export async function readLargeFile(
  name: string,
  { pieceBytes = PIECE_BYTES, allocate = (size) => newArray(name, size) }: ReadOptions = {},
): Promise<Uint8Array> {
  const file = await open(name);
  try {
    const { size } = await file.stat();
    const bytes = allocate(size);
    let end = 0;
    while (end < size) {
      const { bytesRead } = await file.read(bytes, end, Math.min(pieceBytes, size - end), end);
      if (bytesRead === 0) break;
      end += bytesRead;
    }
    return bytes.subarray(0, end);
  } finally {
    await file.close();
  }
}

function newArray(name: string, size: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new RangeError(
      `${name} has ${(size / 2 ** 30).toFixed(1)} GiB, more than an array of this Node (${process.version}) or the memory can hold; use a newer Node, or an index folder in place of a file`,
      { cause },
    );
  }
}

/**
 * Writes a file so that, whenever the process or the machine stops, the path holds either the old
 * content or the new, whole. The content goes to a temporary file in the same folder, which is on the
 * disk (fsync) before it takes the path's place (rename, atomic on one file system); then the folder
 * is made durable as well, without which a crash of the machine could undo the rename.
 * @throws FileWriteError where the folder is missing or the disk is full; the old content stays
 */
export async function writeFileAtomically(target: string, bytes: Uint8Array): Promise<void> {
  const folder = path.dirname(target);
  const temporary = path.join(
    folder,
    `.${path.basename(target)}.${process.pid}-${randomBytes(6).toString('hex')}.partial`,
  );
  inProgress.add(path.resolve(temporary));
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    renameHooks.before?.(target);
    await rename(temporary, target);
    renameHooks.after?.(target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error instanceof Error && 'code' in error ? new FileWriteError(target, error) : error;
  } finally {
    inProgress.delete(path.resolve(temporary));
  }
  await syncFolder(folder);
}

/**
 * Deletes the temporary files that processes left in a folder when they were killed in the middle of
 * `writeFileAtomically`. Those of processes that still run stay.
 * @returns the names of the deleted files
 */
export async function removeLeftovers(folder: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(folder)) {
    const writer = TEMPORARY_NAME.exec(name)?.[1];
    if (writer === undefined || isBeingWritten(path.resolve(folder, name), Number(writer))) continue;
    await rm(path.join(folder, name), { force: true });
    removed.push(name);
  }
  return removed.sort();
}

function isBeingWritten(file: string, writer: number): boolean {
  // In a container, process numbers repeat: a file with ours may be that of an earlier life.
  if (writer === process.pid) return inProgress.has(file);
  try {
    process.kill(writer, 0);
    return true;
  } catch (error) {
    // Anything but "no such process" (EPERM: another user's) means that there is one.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder as a file; there, the file system's journal is trusted with the rename.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
