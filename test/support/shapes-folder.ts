import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import type { Dataset } from '../../src/data/dataset.ts';
import { shapePixels, shapesDataset, TINY_SIZE } from './shapes-dataset.ts';

/** Writes the shapes as PNG files, `<root>/{sketch,photo}/<class>/<n>.png`. */
export async function writeShapes(root: string): Promise<void> {
  const { train, validation, queries, gallery }: Dataset = shapesDataset();
  for (const { domain, className, name } of [...train, ...validation, ...queries, ...gallery]) {
    const number = Number(name.at(-1));
    const folder = path.join(root, domain, className);
    await mkdir(folder, { recursive: true });
    await sharp(shapePixels(className, domain, number), { raw: { width: TINY_SIZE, height: TINY_SIZE, channels: 3 } })
      .png()
      .toFile(path.join(folder, `${number}.png`));
  }
}
