// The small model that the page comes with, and pictures that it can search.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { emojiClasses } from '../../datasets/emoji.ts';
import { parseModel, serializeModel, type ModelFile } from '../../src/models/model-file.ts';
import { writeEmoji } from './emoji-folder.ts';

export const PAGE_MODEL = fileURLToPath(new URL('../../web/public/model.safetensors', import.meta.url));

export const readPageModel = async (): Promise<ModelFile> => parseModel(await readFile(PAGE_MODEL), PAGE_MODEL);

/** Pixels of the model's images where only what the page does with a model is of interest. */
export const SMALL_SIZE = 32;

/** The page's model for smaller images: the same weights, so that indexes belong to it, and a quarter of the work. */
export async function smallPageModel(): Promise<Uint8Array> {
  const { state, about } = await readPageModel();
  return serializeModel({ state, about: { ...about, imageSize: SMALL_SIZE } }, 'F16');
}

/** Writes the page's model with one weight changed: another model of the same sizes. */
export async function writeOtherModel(file: string): Promise<void> {
  const { state, about } = await readPageModel();
  const [, { values }] = [...state].find(([name]) => name.startsWith('embedding')) ?? [...state][0];
  values[0] += 1;
  await writeFile(file, await serializeModel({ state, about }));
}

/** Writes `<class>/<set>.png` of a few unseen classes. @returns the classes */
export async function writePictures(folder: string, classes: number, size = 48): Promise<string[]> {
  const names = (await emojiClasses())
    .filter(({ split }) => split === 'unseen')
    .slice(0, classes)
    .map(({ name }) => name);
  for (const name of names)
    for (const set of ['noto', 'twemoji']) await writeEmoji(name, set, `${folder}/${name}/${set}.png`, size);
  return names;
}
