/**
 * Dawn writes warnings of its own straight to the process's error output, at the first request for an adapter:
 * "maxDynamicUniformBuffersPerPipelineLayout artificially reduced ...". They tell a user nothing, and Dawn has no
 * setting against them. On a terminal the command erases them; pipes and log files keep them.
 *
 * Nothing safe takes them out there. Dawn prints with fprintf, so that only file descriptor 2 itself could be led
 * elsewhere meanwhile. Node has no dup2: to close the descriptor and open another one in its place leaves a moment in
 * which a thread of Node's or of a driver can be given number 2 for a file of its own, into which errors then go; the
 * way back, through /proc/self/fd, is not there for sockets; and a process that crashes in between, which is when a
 * driver's last words matter most, would leave them in the other file. A parent process that filters would have to pass
 * on signals, exit codes and the order of the two outputs.
 */

/** So many warnings of so many characters at most: four where there is no driver, two where there is one. */
const WARNINGS = 4;
const LONGEST_WARNING = 140;

/** What `quietly` needs of a terminal. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

let terminal: Terminal | undefined;

/** From now on erases native warnings from this terminal. A stream that is no terminal is left as it is. */
export function eraseNativeWarnings(from: Terminal): void {
  terminal = from.isTTY === true ? from : undefined;
}

/** Makes a call whose synchronous part may write native warnings. */
export function quietly<Result>(call: () => Result): Result {
  if (terminal === undefined) return call();
  // A terminal may not know its size, such as one that a container made: it has 0 columns.
  const rows = WARNINGS * Math.ceil(LONGEST_WARNING / (terminal.columns || 80));
  // Rows are made first, so that the terminal does not scroll between saving the cursor's place and restoring it.
  terminal.write(`${'\n'.repeat(rows)}\x1b[${rows}A\x1b7`);
  try {
    return call();
  } finally {
    terminal.write('\x1b8\x1b[J');
  }
}
