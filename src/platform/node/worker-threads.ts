import { Worker, type TransferListItem } from 'node:worker_threads';

/** What a thread is told. */
export interface ThreadTask {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
}

/** What a thread says. */
export type ThreadReport =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };

interface Waiting {
  readonly task: ThreadTask;
  readonly transfer: readonly TransferListItem[];
  resolve(output: unknown): void;
  reject(reason: unknown): void;
}

/**
 * Threads that run the functions of one module, so that the event loop stays free. A module is written for
 * `serveTasks`. Tasks start in the order in which they come, one in each thread at a time. Threads that have nothing to
 * do do not keep the process from ending.
 */
export class WorkerThreads {
  private readonly waiting: Waiting[] = [];
  private readonly running = new Map<Worker, Waiting>();
  private readonly threads = new Set<Worker>();
  private lastId = 0;
  private closed = false;

  /**
   * @param module .ts in the repository, .js in the package
   * @param data that the module's functions are made with
   */
  constructor(
    private readonly module: URL,
    private readonly data: unknown,
    private readonly count: number,
  ) {}

  /**
   * @param signal of one who goes away: a task that waits is then dropped, and the result of one that runs
   * @throws Error with the name and message of what the function threw; the signal's reason; an error where the thread
   * itself ends
   */
  run<Output>(
    name: string,
    input: unknown,
    { signal, transfer = [] }: { readonly signal?: AbortSignal; readonly transfer?: readonly TransferListItem[] } = {},
  ): Promise<Output> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.closed) throw new Error('the threads are closed');
      const entry: Waiting = {
        task: { id: ++this.lastId, name, input },
        transfer,
        resolve: resolve as (output: unknown) => void,
        reject,
      };
      signal?.addEventListener(
        'abort',
        () => {
          const place = this.waiting.indexOf(entry);
          if (place >= 0) this.waiting.splice(place, 1);
          reject(signal.reason as Error);
        },
        { once: true },
      );
      this.waiting.push(entry);
      this.start();
    });
  }

  /** Ends the threads; what runs or waits is rejected. */
  async close(): Promise<void> {
    this.closed = true;
    const left = [...this.waiting.splice(0), ...this.running.values()];
    await Promise.all([...this.threads].map((thread) => thread.terminate()));
    for (const { reject } of left) reject(new Error('the threads are closed'));
  }

  private start(): void {
    while (this.waiting.length > 0) {
      const thread =
        [...this.threads].find((candidate) => !this.running.has(candidate)) ??
        (this.threads.size < this.count ? this.open() : undefined);
      if (thread === undefined) return;
      const entry = this.waiting.shift() as Waiting;
      this.running.set(thread, entry);
      thread.ref();
      thread.postMessage(entry.task, entry.transfer);
    }
  }

  private open(): Worker {
    const thread = newThread(this.module, this.data);
    this.threads.add(thread);
    thread.on('message', (report: ThreadReport) => {
      const entry = this.running.get(thread);
      this.running.delete(thread);
      thread.unref();
      if ('error' in report) entry?.reject(Object.assign(new Error(report.error.message), { name: report.error.name }));
      else entry?.resolve(report.output);
      this.start();
    });
    const end = (cause: Error): void => {
      this.threads.delete(thread);
      this.running.get(thread)?.reject(cause);
      this.running.delete(thread);
      if (!this.closed) this.start();
    };
    thread.on('error', end);
    thread.on('exit', (code) => end(new Error(`a thread of ${this.module.pathname} ended with code ${code}`)));
    return thread;
  }
}

/**
 * Node runs the sources through tsx, which a thread has to register for itself, from the place of this file: a name
 * would be looked for from the working folder. Deno runs them as they are.
 */
function newThread(module: URL, data: unknown): Worker {
  if (!module.pathname.endsWith('.ts') || 'Deno' in globalThis) return new Worker(module, { workerData: data });
  const program = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))}).then(({ register }) => { register(); return import(${JSON.stringify(module.href)}); })`;
  return new Worker(program, { eval: true, workerData: data, execArgv: [] });
}
