// A training that takes seconds on a software adapter, for the suites of the command: a folder of its data, its
// options, and what its run writes.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseModel } from '../../src/models/model-file.ts';
import { DEFAULT_BACKBONE, type BackboneName } from '../../src/nn/backbones/index.ts';
import { builtCommand } from './built-command.ts';
import { useTestCache } from './cache-home.ts';
import { runOnTestDevice } from './device-command.ts';
import type { CommandResult } from './command-output.ts';
import { writeShapes } from './shapes-folder.ts';

/** Runs the command on the device under test. */
export const run = (...words: string[]): Promise<CommandResult> => runOnTestDevice(words);

/** Runs the command in a process of its own. */
export async function start(...words: string[]): Promise<{
  readonly child: ChildProcess;
  readonly ended: Promise<CommandResult & { readonly signal: NodeJS.Signals | null }>;
}> {
  const child = spawn(process.execPath, [await builtCommand(), ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (text: Buffer) => (printed.stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (printed.stderr += text.toString()));
  return {
    child,
    ended: new Promise((resolve) =>
      child.on('close', (code, signal) => resolve({ code: code ?? -1, signal, ...printed })),
    ),
  };
}

/** Data of six classes, two of them unseen, in a folder that runs are written to as well. */
export class TinyTraining {
  private constructor(
    readonly folder: string,
    private readonly backbone: BackboneName,
    private readonly restoreCache: () => void,
  ) {}

  /**
   * @param cache the name of a cache of the suite's own, for one that changes tuning records
   * @param backbone ResNet18 has a third of ResNet50's pipelines, for suites that start many processes
   */
  static async make({
    cache,
    backbone = DEFAULT_BACKBONE,
  }: { readonly cache?: string; readonly backbone?: BackboneName } = {}): Promise<TinyTraining> {
    const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-training-'));
    const made = new TinyTraining(folder, backbone, useTestCache(cache));
    await writeShapes(made.at('shapes'));
    await writeFile(made.at('unseen.txt'), 'shape e\nshape f\n');
    return made;
  }

  at(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** Options of a training. */
  get options(): string[] {
    return [
      '--data',
      this.at('shapes'),
      '--unseen',
      this.at('unseen.txt'),
      '--validation',
      '0.3',
      '--size',
      '32',
      '--width',
      '0.25',
      '--embedding',
      '16',
      '--classes-per-batch',
      '2',
      '--images-per-domain',
      '1',
      '--learning-rate',
      '1e-3',
      ...(this.backbone === DEFAULT_BACKBONE ? [] : ['--backbone', this.backbone]),
    ];
  }

  /** Trains a model in a few steps, for what uses one. */
  async train(name: string, steps = 4, ...words: string[]): Promise<void> {
    const { code, stderr } = await run(
      'train',
      ...this.options,
      ...words,
      '--steps',
      String(steps),
      '--out',
      this.at(name),
    );
    if (code !== 0) throw new Error(stderr);
  }

  async logLines(name: string): Promise<Record<string, unknown>[]> {
    const text = await readFile(this.at(name, 'log.jsonl'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits until a process has logged so many steps, or has ended. */
  async stepsIn(name: string, count: number, child: ChildProcess): Promise<void> {
    while (
      child.exitCode === null &&
      (await this.logLines(name)).filter(({ event }) => event === 'step').length < count
    )
      await delay(20);
  }

  async checksumOf(name: string): Promise<string> {
    return (await parseModel(await readFile(this.at(name, 'model.safetensors')), name)).checksum;
  }

  async remove(): Promise<void> {
    this.restoreCache();
    await rm(this.folder, { recursive: true });
  }
}
