import { readFile } from 'node:fs/promises';
import { parseModel, type ModelFile } from '../training/checkpoint.ts';
import { OptionError, text } from './options.ts';

export const MODEL_OPTION = text({ placeholder: 'file', required: true, help: 'A model or checkpoint that sketchgrad train wrote (.safetensors)' });

/** Reads a model. @throws OptionError where there is no such file, SafetensorsError or CheckpointError where it is none */
export async function readModelFile(path: string, flag: string): Promise<ModelFile> {
  return parseModel(await readGivenFile(path, flag), path);
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
