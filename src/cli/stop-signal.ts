import { closeSync, openSync } from 'node:fs';
import { note } from './display/progress.ts';

export interface StopSignalOptions {
  /** What is still done before the end. */
  readonly finished?: string;
  /**
   * Called at SIGHUP in place of stopping, as servers read their configuration again. The end of the terminal from
   * which the process was started still stops it.
   */
  readonly onHangUp?: () => void;
}

/**
 * Aborts at Ctrl-C, SIGTERM or the end of the terminal (SIGHUP). A second Ctrl-C or SIGTERM ends the process at once,
 * which loses no more of a training than the steps since the last checkpoint; SIGHUP may come twice, from the terminal
 * and from the shell, and does not.
 */
export function stopOnSignal({
  finished = 'the steps under way are finished and saved',
  onHangUp,
}: StopSignalOptions = {}): {
  readonly signal: AbortSignal;
  release(): void;
} {
  const controller = new AbortController();
  const hadTerminal = hasTerminal();
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted && signal === 'SIGHUP') return;
    if (controller.signal.aborted) process.exit(130);
    // With the terminal gone, whatever is written to it fails, and must not end the process before all is saved.
    if (signal === 'SIGHUP') for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore);
    note(`\nstopping: ${finished} (again to end at once)`);
    controller.abort();
  };
  const hear = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGHUP' && onHangUp !== undefined && !(hadTerminal && !hasTerminal())) onHangUp();
    else stop(signal);
  };
  for (const signal of STOPPING) process.on(signal, hear);
  stops.add(stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of STOPPING) process.off(signal, hear);
      stops.delete(stop);
    },
  };
}

/** Stops what would stop if the terminal were closed. @returns whether there is anything that does */
export function stopAsWithoutTerminal(): boolean {
  for (const stop of stops) stop('SIGHUP');
  return stops.size > 0;
}

const stops = new Set<(signal: NodeJS.Signals) => void>();
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ignore = (): void => undefined;

/** Whether the process has a terminal that is open. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
