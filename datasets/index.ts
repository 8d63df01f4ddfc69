/** Data sets on disk, for Node and Deno. `sketchgrad/datasets` in the package. */
export { loadFolder } from './folder.ts';
export { loadPublished } from './published.ts';
