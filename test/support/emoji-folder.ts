// Emoji as picture files, for pages and commands that take folders.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { EMOJI_SETS, emojiClasses } from '../../datasets/emoji.ts';
import { emojiDrawing } from './emoji-strokes.ts';

/** Writes a drawing as a PNG file on white, and the folders that it needs. */
export async function writeEmoji(className: string, set: string, file: string, size: number): Promise<void> {
  const { body, side } = await emojiDrawing(className, set);
  await mkdir(path.dirname(file), { recursive: true });
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${side} ${side}" width="${size}" height="${size}">${body}</svg>`;
  await sharp(Buffer.from(drawing)).flatten({ background: '#ffffff' }).png().toFile(file);
}

/** Writes {sketch,photo}/<class>/<set>.png for some classes. @returns how many photos */
export async function writeEmojiFolder(folder: string, classNames: readonly string[], size = 64): Promise<number> {
  let photos = 0;
  for (const { name, icons } of await emojiClasses()) {
    if (!classNames.includes(name)) continue;
    for (const set of EMOJI_SETS) {
      // For sketches, the set that is black and white as it is.
      if (!(set.name in icons) || (set.domain === 'sketch' && set.outlineMargin !== undefined)) continue;
      await writeEmoji(name, set.name, path.join(folder, set.domain, name, `${set.name}.png`), size);
      if (set.domain === 'photo') photos++;
    }
  }
  return photos;
}

/** Writes a sketch of a class as a PNG file. @returns its path */
export async function writeSketch(folder: string, className: string, size: number): Promise<string> {
  const file = path.join(folder, `${size}-${className}.png`);
  await writeEmoji(className, 'emojione-monotone', file, size);
  return file;
}
