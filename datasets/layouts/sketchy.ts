import { join } from 'node:path';
import { DatasetError } from '../../src/data/dataset.ts';
import { firstFolder, foldersIn, present } from './folders.ts';
import { ASK, type Archive, type Layout } from './layout.ts';
import { withLists } from './lists.ts';

/** The rendering of Sketchy that is used, as in SAKE. */
const RENDERING = 'tx_000000000000';

async function sketchyAt(root: string): Promise<Archive | undefined> {
  for (const base of [join(root, '256x256'), root]) {
    const sketches = await renderingIn(join(base, 'sketch'));
    const photos = await renderingIn(join(base, 'photo'));
    if (sketches === undefined && photos === undefined) continue;
    const extension = await firstFolder(
      [root, base],
      ['EXTEND_image_sketchy_ready', 'EXTEND_image_sketchy', 'extended_photo'],
    );
    return withLists({
      root,
      set: 'sketchy',
      sketchFolders: present(sketches),
      photoFolders: present(photos, extension),
      lacks:
        sketches === undefined
          ? `there is no ${join(base, 'sketch', RENDERING)}`
          : photos === undefined
            ? `there is no ${join(base, 'photo', RENDERING)}`
            : undefined,
    });
  }
  return undefined;
}

/** Sketchy comes in several renderings; those of one object differ in place and scale. */
async function renderingIn(folder: string): Promise<string | undefined> {
  const renderings = (await foldersIn(folder)).filter((name) => /^tx_\d{12}(_ready)?$/.test(name)).sort();
  const chosen =
    [`${RENDERING}_ready`, RENDERING].find((name) => renderings.includes(name)) ??
    (renderings.length === 1 ? renderings[0] : undefined);
  if (chosen !== undefined) return join(folder, chosen);
  if (renderings.length === 0) return undefined;
  throw new DatasetError(
    `${folder} holds the renderings ${renderings.join(', ')}, and not ${RENDERING}, which is the one in use; add it, or leave one alone there`,
  );
}

/** Sketchy Extended. */
export const sketchy: Layout = {
  source: {
    set: 'sketchy',
    title: 'Sketchy Extended',
    contents: [
      '75,471 sketches of 12,500 photos in 125 classes: Sangkloy, Burnell, Ham, Hays, "The Sketchy Database" (SIGGRAPH 2016)',
      'more photos of the same classes: Liu, Shen, Shen, Liu, Shao, "Deep Sketch Hashing" (CVPR 2017)',
    ],
    places: [
      { what: 'sketches and photos', where: 'http://sketchy.eye.gatech.edu/ (rendered_256x256)' },
      {
        what: 'both, with the extension and the list files',
        where: 'the archive that https://github.com/qliu24/SAKE links to',
      },
    ],
    terms: [`sketches and photos: ${ASK}`, `extended photos: ${ASK}`],
    layouts: [
      {
        name: 'SAKE archive',
        tree: [
          '<root>/   Sketchy/ in the archive',
          '  256x256/sketch/tx_000000000000_ready/<class>/<photo>-<k>.png',
          '  256x256/photo/tx_000000000000_ready/<class>/<photo>.jpg',
          '  EXTEND_image_sketchy_ready/<class>/*.jpg',
          '  zeroshot1/, zeroshot2/   cname_cid.txt, cname_cid_zero.txt,',
          '      sketch_tx_000000000000_ready_filelist_{train,test,zero}.txt, all_photo_filelist_{train,zero}.txt',
        ],
      },
      {
        name: 'official archive',
        tree: [
          '<root>/',
          '  256x256/sketch/tx_000000000000/<class>/*.png',
          '  256x256/photo/tx_000000000000/<class>/*.jpg',
          '  EXTEND_image_sketchy/<class>/*   or   extended_photo/<class>/*',
        ],
      },
    ],
    splits: ['sketchy1', 'sketchy2'],
  },
  innerFolders: /^(256x256|zeroshot.*|sketch|photo|EXTEND_image_sketchy(_ready)?|extended_photo)$/,
  archives: [sketchyAt],
};
