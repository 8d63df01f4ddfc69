/** Data sets on disk, for Node and Deno. @module sketchgrad/datasets */
export { loadFolder, type FolderDataset, type FolderOptions } from './folder.ts';
export type { DomainFolders } from './folder-samples.ts';
export { type UnseenChoice } from './unseen-classes.ts';
export { iconDigest, iconImage, type IconImage } from './icon-drawings.ts';
export {
  findIconSets,
  IconSetError,
  iconSvg,
  readIconSet,
  type Icon,
  type IconSet,
  type IconSetFiles,
} from './icon-sets.ts';
export type { PictureSource } from './pictures.ts';
export type { Problem, ProblemKind } from './problems.ts';
export { loadPublished, type PublishedDataset, type PublishedOptions } from './published.ts';
export type { SetName, Split } from './splits.ts';
