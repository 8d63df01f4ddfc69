import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describeInputConvention, InputConventionError, parseInputConvention, type InputConvention } from '../nn/pixels.ts';
import { parseModel, type ModelFile } from '../training/checkpoint.ts';
import { pixelsIn } from '../training/model.ts';
import { parseWeights, type StartingWeights } from '../training/weights.ts';
import { OptionError, text } from './options.ts';

export const MODEL_OPTION = text({ placeholder: 'file', required: true, help: 'A model or checkpoint that sketchgrad train wrote (.safetensors)' });

/** Reads a model. @throws OptionError where there is no such file, SafetensorsError or CheckpointError where it is none */
export async function readModelFile(path: string, flag: string): Promise<ModelFile> {
  return parseModel(await readGivenFile(path, flag), path);
}

/** Options of the commands that read weights of others. */
export const WEIGHTS_OPTIONS = {
  weightsPrefix: text({ placeholder: 'text', help: "What stands before the names of the network that is meant, where the file of weights holds several, such as module.encoder_q." }),
  input: text({ placeholder: 'convention', help: 'How the weights want their pixels: imagenet, caffe, half, or words such as "BGR, 0..255, mean 103.939 116.779 123.68, std 1" (default: what the file says, else imagenet)' }),
} as const;

/** Reads starting weights, and timm's config.json beside them. @throws OptionError where there is no such file */
export async function readWeightsFile(file: string, flag: string, { weightsPrefix, input }: { readonly weightsPrefix?: string; readonly input?: string }): Promise<StartingWeights> {
  const convention = input === undefined ? undefined : parseInputOption(input);
  return parseWeights(await readGivenFile(file, flag), file, { prefix: weightsPrefix, input: convention, metadata: await timmMetadata(file) });
}

/** @throws OptionError that says how a convention is written */
export function parseInputOption(input: string): InputConvention {
  try {
    return parseInputConvention(input);
  } catch (cause) {
    throw cause instanceof InputConventionError ? new OptionError(`--input: ${cause.message}`, { cause }) : cause;
  }
}

/** What weights say of the network that they are for, as options of a training. */
export function optionsOfWeights({ about }: ModelFile, fileName: string): Record<string, unknown> {
  const network = typeof about.network === 'object' && about.network !== null ? (about.network as Readonly<Record<string, unknown>>) : {};
  const pixels = pixelsIn(about, fileName);
  const { width, stride, batchNormEpsilon, embedding } = network;
  return { width, stride, batchNormEpsilon, embedding, input: pixels && describeInputConvention({ order: 'RGB', white: 1, ...pixels }) };
}

/** timm keeps the input's mean and deviation in a config.json beside its weights. */
async function timmMetadata(file: string): Promise<Map<string, string> | undefined> {
  const content = await readFile(path.join(path.dirname(file), 'config.json'), 'utf8').catch(() => '{}');
  try {
    const { mean, std } = (JSON.parse(content) as { pretrained_cfg?: { mean?: unknown; std?: unknown } }).pretrained_cfg ?? {};
    return mean === undefined || std === undefined ? undefined : new Map([['mean', JSON.stringify(mean)], ['std', JSON.stringify(std)]]);
  } catch {
    // A config.json of something else.
    return undefined;
  }
}

/** A file named by the user. @throws OptionError that names the flag */
export async function readGivenFile(path: string, flag: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OptionError(`${flag}: ${path} ${code === 'ENOENT' ? 'does not exist' : `cannot be read: ${message}`}`, { cause });
  }
}

/** A list of names out of a model's description. */
export function namesIn(file: ModelFile, key: string): readonly string[] | undefined {
  const value = file.about[key];
  return Array.isArray(value) && value.every((name) => typeof name === 'string') ? (value as readonly string[]) : undefined;
}
