import { firstFolder } from './folders.ts';
import { ASK, type Archive, type Layout } from './layout.ts';

async function domainnetAt(root: string): Promise<Archive | undefined> {
  const sketches = await firstFolder([root], ['sketch']);
  const photos = await firstFolder([root], ['real']);
  if (sketches === undefined || photos === undefined) return undefined;
  return {
    root,
    layout: 'DomainNet folders',
    sketchFolders: [sketches],
    photoFolders: [photos],
    drawingFiles: [],
    listFolders: [],
  };
}

/**
 * Two of DomainNet's six domains. Its lists (`sketch_train.txt`, ...) part the pictures of each class, not the classes, so
 * they are not read.
 */
export const domainnet: Layout = {
  source: {
    set: 'domainnet',
    title: 'DomainNet, its domains sketch and real',
    contents: [
      '345 classes in six domains: Peng, Bai, Xia, Huang, Saenko, Wang, "Moment Matching for Multi-Source Domain Adaptation" (ICCV 2019)',
    ],
    places: [
      { what: 'sketches and photos', where: 'http://ai.bu.edu/M3SDA/ (sketch.zip and real.zip, cleaned version)' },
    ],
    terms: [ASK],
    layouts: [
      {
        name: 'DomainNet folders',
        tree: [
          '<root>/',
          '  sketch/<class>/*.jpg',
          '  real/<class>/*.jpg   the photos; other domains and lists are ignored',
        ],
      },
    ],
    splits: [],
  },
  innerFolders: /^(sketch|real)$/,
  archives: [domainnetAt],
};
