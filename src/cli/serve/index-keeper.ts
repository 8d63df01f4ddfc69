import { WorkerThreads } from '../../platform/node/worker-threads.ts';
import { threadModule } from '../../platform/node/thread-module.ts';
import type { NewPicture } from '../files/update-index.ts';
import { note } from '../display/progress.ts';
import type { UpdateTask } from './index-thread.ts';

/** Milliseconds after a change until it is written. */
const DELAY = 1000;
/** Between two writes are at least so many times the duration of the first. */
const REST = 9;

/**
 * Writes changes of the served pictures to their index on disk, in a thread, some time after they come. A large index
 * is written less often: writing takes a tenth of the time at most.
 */
export class IndexKeeper {
  private readonly thread: WorkerThreads;
  /** By path; null for a picture that was removed. */
  private changes = new Map<string, NewPicture | null>();
  private writing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private earliest = 0;

  constructor(
    private readonly file: string,
    private readonly modelChecksum: string,
  ) {
    this.thread = new WorkerThreads(threadModule(import.meta.url, 'index-thread'), undefined, 1);
  }

  add(picture: NewPicture): void {
    this.changes.set(picture.path, picture);
    this.schedule();
  }

  remove(path: string): void {
    this.changes.set(path, null);
    this.schedule();
  }

  /** Writes what is not written yet. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return (this.writing = this.writing.then(() => this.write()));
  }

  async close(): Promise<void> {
    await this.flush();
    await this.thread.close();
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => void this.flush(), Math.max(DELAY, this.earliest - performance.now()));
    this.timer.unref();
  }

  private async write(): Promise<void> {
    if (this.changes.size === 0) return;
    const { changes, file, modelChecksum } = this;
    this.changes = new Map();
    const added = [...changes.values()].filter((picture) => picture !== null);
    const removed = [...changes].filter(([, picture]) => picture === null).map(([path]) => path);
    const start = performance.now();
    try {
      await this.thread.run('update', { file, changes: { modelChecksum, added, removed } } satisfies UpdateTask);
    } catch (error) {
      note(`${file} was not updated: ${error instanceof Error ? error.message : String(error)}`);
      // They are written with the next changes, unless these are of the same pictures.
      this.changes = new Map([...changes, ...this.changes]);
    }
    const now = performance.now();
    this.earliest = now + REST * (now - start);
  }
}
