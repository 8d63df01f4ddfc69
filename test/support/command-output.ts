import { runCommandLine } from '../../src/cli/command-line.ts';
import type { Command } from '../../src/cli/command.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process and keeps what it prints. */
export async function runCaptured(words: readonly string[], commands?: readonly Command[]): Promise<CommandResult> {
  const printed = { stdout: '', stderr: '' };
  const original = { stdout: process.stdout.write, stderr: process.stderr.write };
  const keep =
    (name: 'stdout' | 'stderr') =>
    (text: string | Uint8Array): boolean => {
      printed[name] += String(text);
      return true;
    };
  process.stdout.write = keep('stdout');
  process.stderr.write = keep('stderr');
  try {
    const code = await runCommandLine(words, commands);
    return { code, ...printed };
  } finally {
    process.stdout.write = original.stdout;
    process.stderr.write = original.stderr;
  }
}
