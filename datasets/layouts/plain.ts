import { firstFolder } from './folders.ts';
import type { Archive, Layout } from './layout.ts';

async function plainAt(root: string): Promise<Archive | undefined> {
  const sketches = await firstFolder([root], ['sketch']);
  const photos = await firstFolder([root], ['photo']);
  if (sketches === undefined || photos === undefined) return undefined;
  return {
    root,
    layout: 'plain folders',
    sketchFolders: [sketches],
    photoFolders: [photos],
    drawingFiles: [],
    listFolders: [],
  };
}

/** A folder of sketches and one of photos, with a folder of images for each class. */
export const plain = {
  source: {
    set: 'plain',
    title: 'Data of your own, or any of these sets in plain folders',
    contents: [
      'a folder of images for each class, in each of the two domains; a class may be spelled in two ways (-, _, blank, case)',
    ],
    places: [],
    terms: [],
    layouts: [
      {
        name: 'plain folders',
        tree: ['<root>/', '  sketch/<class>/*.{png,jpg,jpeg,webp,svg}', '  photo/<class>/*.{png,jpg,jpeg,webp,svg}'],
      },
    ],
    splits: [],
  },
  innerFolders: /^(sketch|photo)$/,
  archives: [plainAt],
} satisfies Layout;
