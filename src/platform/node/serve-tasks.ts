import { parentPort, type TransferListItem } from 'node:worker_threads';
import type { ThreadReport, ThreadTask } from './worker-threads.ts';

/** A result whose buffers move to the main thread instead of being copied. */
export interface Moved {
  readonly output: unknown;
  readonly transfer: readonly TransferListItem[];
}

/** Runs in a thread of `WorkerThreads`: answers each task by the function of its name. */
export function serveTasks(functions: Readonly<Record<string, (input: never) => Moved | Promise<Moved>>>): void {
  parentPort?.on('message', ({ id, name, input }: ThreadTask) => {
    void (async () => {
      const send = (report: ThreadReport, transfer: readonly TransferListItem[] = []): void =>
        parentPort?.postMessage(report, transfer);
      try {
        const { output, transfer } = await functions[name](input as never);
        send({ id, output }, transfer);
      } catch (error) {
        const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
        send({ id, error: { name: kind, message } });
      }
    })();
  });
}
