/** What `sketchgrad data how` prints: the data sets of the layouts, and the search data. */
import { LAYOUTS, type DataSource } from './layouts/index.ts';
import { plain } from './layouts/plain.ts';

const SEARCH: DataSource = {
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
};

const published = LAYOUTS.flatMap((layout) => (layout === plain || layout.source === undefined ? [] : [layout.source]));

export const DATA_SOURCES: readonly DataSource[] = [...published, SEARCH, plain.source];
