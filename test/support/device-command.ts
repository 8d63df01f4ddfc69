// A command that computes on the device under test, whose pipelines are compiled once for all commands of a process.
import { lendDevice } from '../../src/cli/device.ts';
import { runCaptured, type CommandResult } from './command-output.ts';
import { testDevice } from './device.ts';

export async function runOnTestDevice(words: readonly string[]): Promise<CommandResult> {
  lendDevice(await testDevice());
  try {
    return await runCaptured(words);
  } finally {
    lendDevice(undefined);
  }
}
