import { stat } from 'node:fs/promises';
import { IndexFolder } from '../../platform/node/index-folder.ts';
import { readIndex } from '../../platform/node/read-index.ts';
import { openIndex, type RetrievalIndex } from '../../retrieval/index-file.ts';
import { readGivenFile } from './model-file.ts';
import { OptionError } from '../options/option.ts';

/** Reads an index of pictures that the user gave, a file or a folder. @throws OptionError where there is none */
export async function readGivenIndex(file: string, flag: string): Promise<RetrievalIndex> {
  return (await isFolder(file)) ? readIndex(file) : openIndex(await readGivenFile(file, flag), file);
}

/** Opens an index folder that the user gave. @throws OptionError where it is none */
export async function openGivenFolder(folder: string): Promise<IndexFolder> {
  if (!(await isFolder(folder)))
    throw new OptionError(
      `${folder} is no index folder; sketchgrad embed --out ${folder.replace(/\.[^./]*$/, '')} makes one`,
    );
  return IndexFolder.open(folder);
}

const isFolder = async (name: string): Promise<boolean> =>
  (await stat(name).catch(() => undefined))?.isDirectory() === true;
