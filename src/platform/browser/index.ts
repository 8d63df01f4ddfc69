/** The platform backend for browsers, in pages and in workers. @module sketchgrad/browser */
export { openDevice } from './adapter.ts';
export { openExactSearch, serveExactSearch, type ExactSearchWorkersOptions } from './exact-search.ts';
export { decodeImage, decodePicture, decodeSketch, ImageError } from './images.ts';
export { stretchToSquare, type DecodedPicture } from '../../data/resample.ts';
