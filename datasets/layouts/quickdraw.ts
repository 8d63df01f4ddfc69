import { join } from 'node:path';
import { firstFolder, namesIn, present } from './folders.ts';
import { ASK, type Archive, type Layout } from './layout.ts';

async function quickdrawAt(root: string): Promise<Archive | undefined> {
  const photos = await firstFolder([root], ['QuickDraw_images_final']);
  const sketches = await firstFolder([root], ['QuickDraw_sketches_final']);
  for (const folder of [
    root,
    ...present(sketches),
    join(root, 'simplified'),
    join(root, 'full', 'simplified'),
    join(root, 'sketch'),
  ]) {
    const drawings = (await namesIn(folder)).filter((name) => name.endsWith('.ndjson')).sort();
    if (drawings.length === 0) continue;
    const photoFolders = present(photos ?? (await firstFolder([root], ['photo', 'images'])));
    return {
      root,
      layout: 'QuickDraw ndjson',
      set: 'quickdraw',
      sketchFolders: [],
      photoFolders,
      drawingFiles: drawings.map((name) => join(folder, name)),
      listFolders: [],
      lacks:
        photoFolders.length === 0 ? `there is no ${join(root, 'QuickDraw_images_final')} with the photos` : undefined,
    };
  }
  if (photos === undefined && sketches === undefined) return undefined;
  const missing =
    sketches === undefined ? 'QuickDraw_sketches_final' : photos === undefined ? 'QuickDraw_images_final' : undefined;
  return {
    root,
    layout: 'Doodle2Search folders',
    set: 'quickdraw',
    sketchFolders: present(sketches),
    photoFolders: present(photos),
    drawingFiles: [],
    listFolders: [],
    lacks: missing === undefined ? undefined : `there is no ${join(root, missing)}`,
  };
}

/** QuickDraw Extended; zse-quickdraw.ts has the archive of ZSE-SBIR. */
export const quickdraw: Layout = {
  source: {
    set: 'quickdraw',
    title: 'QuickDraw Extended',
    contents: [
      '330,000 sketches out of Quick, Draw! and 204,000 photos out of Flickr in 110 classes: Dey, Riba, Dutta, Llados, Song, "Doodle to Search" (CVPR 2019)',
    ],
    places: [
      { what: 'sketches', where: 'http://datasets.cvc.uab.es/QuickDraw/QuickDraw_sketches_final.zip' },
      { what: 'photos', where: 'http://datasets.cvc.uab.es/QuickDraw/QuickDraw_images_final.zip' },
      {
        what: 'drawings as strokes, in place of the sketches',
        where: 'https://github.com/googlecreativelab/quickdraw-dataset ("simplified drawing files", .ndjson)',
      },
    ],
    terms: [
      'drawings of Quick, Draw!: Creative Commons Attribution 4.0 International, by Google',
      `photos, gathered through Flickr's interface: ${ASK}`,
    ],
    layouts: [
      {
        name: 'Doodle2Search folders',
        tree: ['<root>/', '  QuickDraw_sketches_final/<class>/*.png', '  QuickDraw_images_final/<class>/*.jpg'],
      },
      {
        name: 'ZSE-SBIR folders',
        tree: [
          '<root>/',
          '  sketches/<class>/*.png',
          '  images/<class>/*.jpg   the names of TU-Berlin in Doodle2Search: --split quickdraw says which, else the classes do',
        ],
      },
      {
        name: 'QuickDraw ndjson',
        tree: [
          '<root>/',
          '  <word>.ndjson   here, or in QuickDraw_sketches_final/, simplified/, full/simplified/ or sketch/',
          '  QuickDraw_images_final/<class>/*.jpg   or   photo/, images/',
        ],
      },
    ],
    splits: ['quickdraw'],
  },
  innerFolders: /^(sketch|photo|QuickDraw_(sketches|images)_final)$/,
  archives: [quickdrawAt],
};
