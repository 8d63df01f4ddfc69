/**
 * Where the data sets come from, under which terms, and how they lie on disk. Terms are told where the publisher's own
 * words were available (docs/data.md); otherwise, see the publisher's page.
 */
import type { SetName } from './splits.ts';

export interface DataSource {
  readonly set: SetName | 'search' | 'plain';
  readonly title: string;
  /** What it is made of, and by whom. */
  readonly contents: readonly string[];
  readonly places: readonly { readonly what: string; readonly where: string }[];
  readonly terms: readonly string[];
  /** Each the lines of a tree of folders. */
  readonly layouts: readonly { readonly name: string; readonly tree: readonly string[] }[];
  /** Values of --split. */
  readonly splits: readonly string[];
}

const ASK = "see the publisher's page: no terms were found in the stored copies";

export const DATA_SOURCES: readonly DataSource[] = [
  {
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
  {
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
  {
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
  {
    set: 'search',
    title: 'The search data: emoji, icons and drawings',
    contents: [
      'emoji, which npm installs; icons of 118 sets, packaged by Iconify; drawings of Quick, Draw!, as many as there are of each word',
      'what the shipped search model is trained on: docs/search-data.md',
    ],
    places: [
      { what: 'icons', where: 'npm install --no-save @iconify/json' },
      {
        what: 'drawings',
        where:
          'https://github.com/googlecreativelab/quickdraw-dataset ("simplified drawing files", .ndjson): gs://quickdraw_dataset/full/simplified',
      },
    ],
    terms: [
      "icons: each set's own, in datasets/icons-attribution.md",
      'drawings: Creative Commons Attribution 4.0 International, by Google',
    ],
    layouts: [{ name: 'QuickDraw ndjson, for --quickdraw', tree: ['<root>/', '  <word>.ndjson'] }],
    splits: [],
  },
  {
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
];
