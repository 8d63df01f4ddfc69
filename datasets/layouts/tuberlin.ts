import { join } from 'node:path';
import { firstFolder, present } from './folders.ts';
import { ASK, type Archive, type Layout } from './layout.ts';
import { withLists } from './lists.ts';
import { SHARED_PHOTOS, SHARED_SKETCHES, sharedFolders } from './shared-folders.ts';

async function tuberlinAt(root: string): Promise<Archive | undefined> {
  const sketches = await firstFolder([root], ['png_ready', 'png', SHARED_SKETCHES]);
  const photos = await firstFolder([root], ['ImageResized_ready', 'ImageResized', SHARED_PHOTOS]);
  // "sketches" and "images" are names that anything may have.
  if (![sketches, photos].some((folder) => /[/\\](png|ImageResized)(_ready)?$/.test(folder ?? ''))) return undefined;
  return withLists({
    root,
    set: 'tuberlin',
    sketchFolders: present(sketches),
    photoFolders: present(photos),
    lacks:
      sketches === undefined
        ? `there is no ${join(root, 'png')} with the sketches`
        : photos === undefined
          ? `there is no ${join(root, 'ImageResized')}: the photos are the extension's, which the sketches' archive does not have`
          : undefined,
  });
}

/** TU-Berlin as Doodle2Search's scripts leave it. */
async function doodleTuberlinAt(root: string): Promise<Archive | undefined> {
  const folders = await sharedFolders(root);
  return folders && withLists({ root, set: 'tuberlin', ...folders });
}

/** TU-Berlin Extended. */
export const tuberlin: Layout = {
  source: {
    set: 'tuberlin',
    title: 'TU-Berlin Extended',
    contents: [
      '20,000 sketches, 80 in each of 250 classes: Eitz, Hays, Alexa, "How Do Humans Sketch Objects?" (SIGGRAPH 2012)',
      "photos of the same classes, which later authors added; the sketches' archive does not have them",
    ],
    places: [
      { what: 'sketches', where: 'https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch (sketches_png.zip)' },
      { what: 'both, with the list files', where: 'the archive that https://github.com/qliu24/SAKE links to' },
    ],
    terms: ['sketches: Creative Commons Attribution 4.0 International, as the page says', `photos: ${ASK}`],
    layouts: [
      {
        name: 'SAKE archive',
        tree: [
          '<root>/   TUBerlin/ in the archive',
          '  png_ready/<class>/<id>.png',
          '  ImageResized_ready/<class>/*.JPEG',
          '  zeroshot/   cname_cid.txt, cname_cid_zero.txt, png_ready_filelist_{train,test,zero}.txt, ImageResized_ready_filelist_{train,zero}.txt',
        ],
      },
      {
        name: 'official archive',
        tree: ['<root>/', '  png/<class>/<id>.png', '  ImageResized/<class>/*   or   images/<class>/*'],
      },
    ],
    splits: ['tuberlin'],
  },
  innerFolders: /^(zeroshot.*|png(_ready)?|ImageResized(_ready)?)$/,
  archives: [tuberlinAt, doodleTuberlinAt],
};
