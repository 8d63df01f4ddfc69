/** The door for browsers, pages and workers alike. @module sketchgrad/browser */
export { openDevice } from './adapter.ts';
export { decodeDrawing, decodeImage, decodePicture, ImageError } from './images.ts';
export { stretchToSquare, type DecodedPicture } from '../../data/resample.ts';
