import { note } from './display/progress.ts';

/**
 * Aborts at Ctrl-C, SIGTERM or the end of the terminal (SIGHUP). A second Ctrl-C or SIGTERM ends the process at once,
 * which loses no more of a training than the steps since the last checkpoint; SIGHUP may come twice, from the terminal
 * and from the shell, and does not.
 * @param finished what is still done before the end
 */
export function stopOnSignal(finished = 'the steps under way are finished and saved'): {
  readonly signal: AbortSignal;
  release(): void;
} {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted && signal === 'SIGHUP') return;
    if (controller.signal.aborted) process.exit(130);
    // With the terminal gone, whatever is written to it fails, and must not end the process before all is saved.
    if (signal === 'SIGHUP') for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore);
    note(`\nstopping: ${finished} (again to end at once)`);
    controller.abort();
  };
  for (const signal of STOPPING) process.on(signal, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of STOPPING) process.off(signal, stop);
    },
  };
}

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ignore = (): void => undefined;
