import type { Sample } from '../../src/data/dataset.ts';
import type { SketchFraming } from '../../src/data/sketch-framing.ts';
import { decodePicture } from '../../src/platform/browser/images.ts';
import type { IconFilter } from '../../src/retrieval/icon-ranking.ts';
import { assertSameModel, openIndex, serializeIndex } from '../../src/retrieval/index-file.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import { meanEmbedding } from '../../src/retrieval/mean-embedding.ts';
import { parseModel, serializeModel } from '../../src/models/model-file.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import type { IconListing, IconSearch } from './icon-search.ts';
import { keep } from './kept-files.ts';
import { OpenModels, type ModelSummary, type Progress } from './open-models.ts';
import { sketchesOf, squareOf, withAlpha, type Picture, type Query } from './pictures.ts';
import { TrainingSession, type TrainingOutcome } from './training-session.ts';

/** Images that are embedded at once where there are many. */
const BATCH = 16;

/** Pictures that are embedded one by one: compiling the program for many takes longer. */
const FEW = 64;

/** The longer side of a small copy, in pixels. */
const COPY_SIDE = 256;

/** Milliseconds of each stage of a search. */
export interface SearchTimes {
  readonly decode: number;
  readonly embed: number;
  readonly rank: number;
}

export interface Found {
  readonly results: readonly { readonly index: number; readonly score: number }[];
  readonly times: SearchTimes;
}

/**
 * One device, the models that were opened, and a training that may be under way. Models are named by their checksums.
 */
export class Engine {
  private readonly models = new OpenModels();
  private readonly training = new TrainingSession(this.models);
  private icons: IconSearch | undefined;

  /** Tells of each pipeline that is compiled, whichever call needs it. */
  watchCompiling(listener: Progress): void {
    this.models.onCompiled = listener;
  }

  /** The adapter in the words of its driver. @throws AdapterError where there is none */
  async adapter(): Promise<string> {
    const { description } = await this.models.open();
    return Object.values(description).filter(Boolean).join(' ') || 'an adapter without a name';
  }

  /** Reads a model, so that it can be used by its checksum. @throws an error that names the file where it is none */
  async openModel(bytes: Uint8Array, name: string): Promise<ModelSummary> {
    const file = await parseModel(bytes, name);
    return this.models.keep(file, name);
  }

  /** Searches a collection's embeddings by a sketch, or by several together. @param embeddings [n, dimension] */
  search(checksum: string, query: Query, embeddings: Float32Array, top: number): Promise<Found> {
    const { sketches, dimension } = this.models.model(checksum).summary;
    return this.find(checksum, query, sketches, (embedding) => rankGallery(embedding, embeddings, dimension, top));
  }

  /** Reads an index of icons, in place of another one. @throws where it is none */
  async openIcons(bytes: Uint8Array, name: string): Promise<IconListing> {
    // Most visits search no icons.
    const { openIconSearch } = await import('./icon-search.ts');
    this.icons = await openIconSearch(bytes, name);
    return this.icons.listing;
  }

  /**
   * Searches the icons by a sketch, or by several together, fitted to their ink as the icons are. The model of the
   * index must be open.
   */
  searchIcons(query: Query, top: number, filter: IconFilter): Promise<Found> {
    const { listing, ranking } = this.openedIcons();
    return this.find(listing.modelChecksum, query, 'icon', (row) => ranking.rank(row, top, filter));
  }

  /** Ranks the icons by one of them. */
  rankLikeIcon(row: number, top: number, filter: IconFilter): Found['results'] {
    return this.openedIcons().ranking.rankLike(row, top, filter);
  }

  /** Ranks a collection by an embedding that is known. @param embeddings [n, dimension] */
  rank(checksum: string, row: Float32Array, embeddings: Float32Array, top: number): Found['results'] {
    return rankGallery(row, embeddings, this.models.model(checksum).summary.dimension, top);
  }

  /**
   * A small copy of a picture, upright, for showing and embedding later. @throws ImageError where it cannot be decoded
   */
  async shrink(picture: Blob, name: string): Promise<Blob> {
    const { width, height, data } = await decodePicture(picture, name);
    const scale = Math.min(1, COPY_SIDE / Math.max(width, height));
    const source = await createImageBitmap(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
    context.imageSmoothingQuality = 'high';
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    source.close();
    return canvas.convertToBlob({ type: 'image/webp', quality: 0.9 });
  }

  /**
   * The embeddings of pictures. A picture that cannot be decoded is left out and named.
   * @returns embeddings [rows.length, dimension], of the pictures of these indices
   */
  embed(
    checksum: string,
    pictures: readonly { readonly name: string; readonly picture: Picture }[],
    onProgress?: Progress,
  ): Promise<{
    readonly embeddings: Float32Array;
    readonly rows: readonly number[];
    readonly unreadable: readonly string[];
  }> {
    return this.models.onDevice(checksum, async ({ onDevice, summary }) => {
      const areFew = onDevice.many === undefined && onDevice.embedded + pictures.length <= FEW;
      if (areFew) onDevice.embedded += pictures.length;
      else onDevice.many ??= await modelEmbeddings(onDevice.model, BATCH, this.models.onCompiled);
      const rowsOf = onDevice.many ?? onDevice.one;
      const unreadable: string[] = [];
      const rows: number[] = [];
      const readable: { sample: Sample; picture: Picture }[] = [];
      for (const [index, { name, picture }] of pictures.entries()) {
        // Decoding twice costs less than to hold all pixels at once.
        const pixels = await squareOf(picture, summary.imageSize, name).catch(() => undefined);
        if (pixels === undefined) {
          unreadable.push(name);
          continue;
        }
        rows.push(index);
        readable.push({
          sample: { ...QUERY, domain: 'photo', name: String(readable.length) },
          picture: { width: summary.imageSize, height: summary.imageSize, data: withAlpha(pixels) },
        });
      }
      const embeddings = await rowsOf.compute(
        readable.map(({ sample }) => sample),
        { read: ({ name }, size) => squareOf(readable[Number(name)].picture, size, name) },
        (done) => onProgress?.(done, readable.length),
      );
      return { embeddings, rows, unreadable };
    });
  }

  /** An index file, as `sketchgrad embed` writes it. */
  saveIndex(checksum: string, embeddings: Float32Array, paths: readonly string[]): Uint8Array {
    return serializeIndex({
      embeddings,
      dimension: this.models.model(checksum).summary.dimension,
      paths,
      modelChecksum: checksum,
    });
  }

  /** Reads an index of this model. @throws where another model made it */
  openIndex(
    checksum: string,
    bytes: Uint8Array,
    name: string,
  ): { readonly embeddings: Float32Array; readonly paths: readonly string[] } {
    const index = openIndex(bytes, name);
    assertSameModel(index, checksum);
    return index;
  }

  /** Fine-tunes a model on the user's classes, until the last step or `pause`. */
  train(...given: Parameters<TrainingSession['train']>): Promise<TrainingOutcome> {
    return this.training.train(...given);
  }

  /** Goes on with the training that was paused or interrupted; see `TrainingSession`. */
  continueTraining(...given: Parameters<TrainingSession['continueTraining']>): Promise<TrainingOutcome> {
    return this.training.continueTraining(...given);
  }

  /** The last checkpoint of a training that is not done, if there is one: `continueTraining` goes on from it. */
  interrupted(): TrainingOutcome | undefined {
    return this.training.interrupted();
  }

  /** Ends the training after the steps that are under way, with a checkpoint. */
  pause(): void {
    this.training.pause();
  }

  /** A model as a file, with what a training needs to go on where the model is a checkpoint. */
  saveModel(checksum: string): Promise<Uint8Array> {
    return serializeModel(this.models.model(checksum).file);
  }

  /** Keeps a model as a file in the browser. @returns whether the browser did */
  async keepModel(checksum: string, path: string): Promise<boolean> {
    return keep(path, await this.saveModel(checksum));
  }

  summary(checksum: string): ModelSummary {
    return this.models.model(checksum).summary;
  }

  /** For tests of recovery: ends the device as a crash of the driver would. */
  async loseDevice(): Promise<void> {
    (await this.models.open()).gpu.destroy();
  }

  /** @param rank by the embedding of the query: of several sketches, their mean */
  private find(
    checksum: string,
    query: Query,
    framing: SketchFraming | undefined,
    rank: (embedding: Float32Array) => Found['results'],
  ): Promise<Found> {
    return this.models.onDevice(checksum, async ({ onDevice, summary: { imageSize, dimension } }) => {
      const start = performance.now();
      const pixels = await Promise.all(
        sketchesOf(query).map((sketch) => squareOf(sketch, imageSize, 'the query', framing)),
      );
      const decoded = performance.now();
      const rows = await onDevice.one.compute(
        pixels.map((_, place) => ({ ...QUERY, name: String(place) })),
        { read: ({ name }) => Promise.resolve(pixels[Number(name)]) },
      );
      const embedded = performance.now();
      const results = rank(meanEmbedding(rows, dimension));
      return {
        results,
        times: { decode: decoded - start, embed: embedded - decoded, rank: performance.now() - embedded },
      };
    });
  }

  private openedIcons(): IconSearch {
    if (this.icons === undefined) throw new Error('no index of icons is open');
    return this.icons;
  }
}

const QUERY: Sample = { domain: 'sketch', className: '', name: 'the query' };
