import { stopAsWithoutTerminal } from './stop-signal.ts';

/** As a shell reports a program that SIGPIPE ended. */
const ENDED_BY_PIPE = 141;

/**
 * Ends the program when its output is no longer read, as in `sketchgrad doctor | head`. What stops on signals stops
 * as it does when the terminal is closed: a training saves its state first.
 */
export function endOnClosedPipe(...streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (!stopAsWithoutTerminal()) process.exit(ENDED_BY_PIPE);
    });
  }
}
