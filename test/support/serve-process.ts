// sketchgrad serve in a process of its own, at a free port.
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { adapterEnvironment } from '../../src/platform/adapter.ts';
import { builtCommand } from './built-command.ts';

export interface ServeProcess {
  /** With a slash at its end. */
  readonly address: string;
  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void;
  /** What it said on stderr so far. */
  said(): string;
  /** Ends it as a terminal would. @returns exit code and what it said */
  end(): Promise<{ readonly code: number | null; readonly stderr: string }>;
}

const running = new Set<ChildProcess>();

/** @returns once it listens @throws Error with what it said, where it ends before */
export async function startServe(...words: string[]): Promise<ServeProcess> {
  // With its adapter's variables from the start it need not run itself again, and hears signals itself.
  const env = { ...process.env, ...(await adapterEnvironment('auto')) };
  const child = spawn(process.execPath, [await builtCommand(), 'serve', ...words, '--port', '0'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  void ended.then(() => running.delete(child));
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (text: Buffer) => {
      const found = /http:\/\/\S+/.exec((stdout += text.toString()))?.[0];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => reject(new Error(`it ended: ${stderr}`)));
  });
  return {
    address,
    signal: (signal) => void child.kill(signal),
    said: () => stderr,
    end: async () => {
      child.kill('SIGINT');
      return { code: await ended, stderr };
    },
  };
}

/** Waits until a server has said something `times` times. @throws Error with all that it said, after a minute */
export async function untilSaid(server: ServeProcess, pattern: RegExp, times = 1): Promise<void> {
  const all = new RegExp(pattern, 'g');
  for (let tries = 0; tries < 1200; tries++) {
    if ([...server.said().matchAll(all)].length >= times) return;
    await delay(50);
  }
  throw new Error(`${pattern} was not said ${times} times: ${server.said()}`);
}

/** For the end of a suite in which something failed. */
export function killServers(): void {
  for (const child of running) child.kill('SIGKILL');
}
