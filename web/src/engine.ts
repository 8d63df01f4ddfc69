import { fewestPipelines } from '../../src/autodiff/fewest-pipelines.ts';
import type { Dataset, Sample } from '../../src/data/dataset.ts';
import type { SketchFraming } from '../../src/data/sketch-framing.ts';
import type { Device } from '../../src/gpu/device.ts';
import { DeviceLostError } from '../../src/gpu/errors.ts';
import { openDevice } from '../../src/platform/browser/adapter.ts';
import { decodePicture } from '../../src/platform/browser/images.ts';
import type { IconFilter } from '../../src/retrieval/icon-ranking.ts';
import { assertSameModel, openIndex, serializeIndex } from '../../src/retrieval/index-file.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import { meanEmbedding } from '../../src/retrieval/mean-embedding.ts';
import { parseModel, serializeModel, type ModelFile } from '../../src/models/model-file.ts';
import { modelEmbeddings, type ImageRows } from '../../src/models/image-rows.ts';
import {
  openRetrievalModel,
  readModelDescription,
  similarityCutOff,
  type RetrievalModel,
} from '../../src/models/retrieval-model.ts';
import type { LogEntry } from '../../src/training/log.ts';
import type { RetrievalTraining } from '../../src/training/recipe.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import type { IconListing, IconSearch } from './icon-search.ts';
import { keep } from './kept-files.ts';
import { ownDataset, ownRecipe, whyUseless, type OwnClass, type UnreadablePicture } from './own-training.ts';
import { sketchesOf, squareOf, withAlpha, type Picture, type Query } from './pictures.ts';

/** Images that are embedded at once where there are many. */
const BATCH = 16;
/** Pictures that are embedded one by one: compiling the program for many takes longer. */
const FEW = 64;
/** The longer side of a small copy, in pixels. */
const COPY_SIDE = 256;
/** Steps between the checkpoints to which a lost device falls back. */
const CHECKPOINT_STEPS = 10;

export interface ModelSummary {
  readonly name: string;
  readonly checksum: string;
  /** Side of the images in pixels. */
  readonly imageSize: number;
  /** How sketches to search with are laid out. */
  readonly sketches: SketchFraming | undefined;
  readonly dimension: number;
  readonly parameters: number;
  /**
   * The similarity to a sketch below which the best picture means nothing; undefined where the model was not
   * calibrated.
   */
  readonly nothing: number | undefined;
}

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

export interface TrainingReport {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
}

export interface TrainingOutcome {
  readonly stopped: boolean;
  readonly stepsDone: number;
  readonly checksum: string;
  /** Pictures that were passed over. */
  readonly unreadable: readonly UnreadablePicture[];
  /** Why the model is no better than what it started from, where it is not. */
  readonly useless: string | undefined;
}

/** What goes on during a long call. */
export type Progress = (done: number, total: number) => void;

interface OpenModel {
  readonly file: ModelFile;
  readonly summary: ModelSummary;
  /** On the device, while it is the one in use. */
  onDevice?: {
    readonly model: RetrievalModel;
    readonly one: ImageRows;
    many?: ImageRows;
    /** Pictures that `one` has embedded. */
    embedded: number;
  };
}

/** A training that is under way, paused, or ended by an error; one that is done is forgotten. */
interface Training {
  readonly dataset: Dataset;
  readonly settings: RetrievalTraining;
  readonly start: { readonly file: ModelFile; readonly name: string };
  readonly unreadable: readonly UnreadablePicture[];
  /** The loss of every step that was done. */
  readonly losses: number[];
  checkpoint?: ModelFile;
}

/**
 * One device, the models that were opened, and a training that may be under way. Models are named by their checksums.
 */
export class Engine {
  private device: Promise<Device> | undefined;
  private readonly models = new Map<string, OpenModel>();
  private icons: IconSearch | undefined;
  private training: Training | undefined;
  private pausing = new AbortController();
  private queue: Promise<unknown> = Promise.resolve();
  private onCompiled: Progress | undefined;

  /** Tells of each pipeline that is compiled, whichever call needs it. */
  watchCompiling(listener: Progress): void {
    this.onCompiled = listener;
  }

  /** The adapter in the words of its driver. @throws AdapterError where there is none */
  async adapter(): Promise<string> {
    const { description } = await this.open();
    return Object.values(description).filter(Boolean).join(' ') || 'an adapter without a name';
  }

  /** Reads a model, so that it can be used by its checksum. @throws an error that names the file where it is none */
  async openModel(bytes: Uint8Array, name: string): Promise<ModelSummary> {
    const file = await parseModel(bytes, name);
    return this.keep(file, name);
  }

  /** Searches a collection's embeddings by a sketch, or by several together. @param embeddings [n, dimension] */
  search(checksum: string, query: Query, embeddings: Float32Array, top: number): Promise<Found> {
    const { sketches, dimension } = this.model(checksum).summary;
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
    return rankGallery(row, embeddings, this.model(checksum).summary.dimension, top);
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
    return this.onDevice(checksum, async ({ onDevice, summary }) => {
      const areFew = onDevice.many === undefined && onDevice.embedded + pictures.length <= FEW;
      if (areFew) onDevice.embedded += pictures.length;
      else onDevice.many ??= await modelEmbeddings(onDevice.model, BATCH, this.onCompiled);
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
      dimension: this.model(checksum).summary.dimension,
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

  /** Fine-tunes a model on classes of one's own, until the last step or `pause`. */
  async train(
    checksum: string,
    classes: readonly OwnClass[],
    { steps, learningRate }: { readonly steps: number; readonly learningRate: number },
    onReport: (report: TrainingReport) => void,
    onNote: (note: string) => void,
  ): Promise<TrainingOutcome> {
    const { file, summary } = this.model(checksum);
    this.training = undefined;
    this.pausing = new AbortController();
    const { dataset, unreadable } = await ownDataset(classes, summary, onNote);
    const settings = ownRecipe(file, summary.imageSize, dataset, steps, learningRate);
    this.training = { dataset, unreadable, settings, losses: [], start: { file, name: summary.name } };
    return this.runTraining(this.training, onReport, onNote);
  }

  /**
   * Goes on with the training that was paused, as if it had not been. A lost device is opened again, and the training
   * then goes on from its last checkpoint. After any other error it can go on from there when it is asked to.
   * @throws DeviceLostError where the device was lost twice without a checkpoint in between
   */
  async continueTraining(
    onReport: (report: TrainingReport) => void,
    onNote: (note: string) => void,
  ): Promise<TrainingOutcome> {
    if (this.training === undefined) throw new Error('there is no training to go on with');
    this.pausing = new AbortController();
    return this.runTraining(this.training, onReport, onNote);
  }

  private async runTraining(
    running: Training,
    onReport: (report: TrainingReport) => void,
    onNote: (note: string) => void,
  ): Promise<TrainingOutcome> {
    const { dataset, settings, start, losses } = running;
    const onLog = (entry: LogEntry): void => {
      if (entry.event !== 'step') return;
      losses[entry.step] = entry.loss;
      onReport({ step: entry.step, steps: settings.steps, loss: entry.loss });
    };
    let lostAt: number | undefined;
    for (;;) {
      try {
        const { checkpoint } = running;
        const trained = await this.exclusively(async () => {
          this.letGo();
          return trainRetrieval({
            device: await this.open(),
            dataset,
            training: settings,
            start,
            resume: checkpoint && { file: checkpoint, name: 'the training that was interrupted' },
            checkpointEvery: CHECKPOINT_STEPS,
            onLog,
            onProgress: (_, done, total) => this.onCompiled?.(done, total),
            onCheckpoint: async ({ file: saved }) => void (running.checkpoint = saved),
            signal: this.pausing.signal,
          });
        });
        trained.model.storage.destroy();
        if (!trained.stopped) this.training = undefined;
        return this.outcome(running, trained.file, trained.stopped);
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        this.forgetDevice();
        const step = running.checkpoint?.step ?? 0;
        // A step that costs the device each time would do so for ever.
        if (step === lostAt) throw error;
        lostAt = step;
        onNote(`The graphics device was lost. The training goes on from step ${step} on a new one.`);
      }
    }
  }

  /** The last checkpoint of a training that is not done, if there is one: `continueTraining` goes on from it. */
  interrupted(): TrainingOutcome | undefined {
    const { training } = this;
    return training?.checkpoint && this.outcome(training, training.checkpoint, true);
  }

  /** Ends the training after the steps that are under way, with a checkpoint. */
  pause(): void {
    this.pausing.abort();
  }

  /** A model as a file, with what a training needs to go on where the model is a checkpoint. */
  saveModel(checksum: string): Promise<Uint8Array> {
    return serializeModel(this.model(checksum).file);
  }

  /** Keeps a model as a file in the browser. @returns whether the browser did */
  async keepModel(checksum: string, path: string): Promise<boolean> {
    return keep(path, await this.saveModel(checksum));
  }

  summary(checksum: string): ModelSummary {
    return this.model(checksum).summary;
  }

  /** For tests of recovery: ends the device as a crash of the driver would. */
  async loseDevice(): Promise<void> {
    (await this.open()).gpu.destroy();
  }

  /** @param rank by the embedding of the query: of several sketches, their mean */
  private find(
    checksum: string,
    query: Query,
    framing: SketchFraming | undefined,
    rank: (embedding: Float32Array) => Found['results'],
  ): Promise<Found> {
    return this.onDevice(checksum, async ({ onDevice, summary: { imageSize, dimension } }) => {
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

  private model(checksum: string): OpenModel {
    const model = this.models.get(checksum);
    if (model === undefined) throw new Error(`no model with the checksum ${checksum} is open`);
    return model;
  }

  private outcome({ start, losses, unreadable }: Training, file: ModelFile, stopped: boolean): TrainingOutcome {
    // What has the same weights keeps its name.
    if (!this.models.has(file.checksum)) this.keep(file, `${start.name}, trained here for ${file.step} steps`);
    return {
      stopped,
      stepsDone: file.step,
      checksum: file.checksum,
      unreadable,
      useless: whyUseless(file, losses.slice(0, file.step)),
    };
  }

  private keep(file: ModelFile, name: string): ModelSummary {
    const { settings, imageSize, sketches } = readModelDescription(file, name);
    const parameters = [...file.state.values()].reduce((sum, { values }) => sum + values.length, 0);
    const summary = {
      name,
      checksum: file.checksum,
      imageSize,
      sketches,
      dimension: settings.embedding,
      parameters,
      nothing: similarityCutOff(file, name),
    };
    this.models.set(file.checksum, { file, summary, onDevice: this.models.get(file.checksum)?.onDevice });
    return summary;
  }

  private open(): Promise<Device> {
    this.device ??= openDevice();
    // A failure is told to whoever asked; the next call tries again.
    this.device.catch(() => (this.device = undefined));
    return this.device;
  }

  /** Runs with a model on the device, alone; once more on a new device where that was lost. */
  private onDevice<Result>(
    checksum: string,
    work: (model: OpenModel & { onDevice: NonNullable<OpenModel['onDevice']> }) => Promise<Result>,
  ): Promise<Result> {
    const attempt = (): Promise<Result> =>
      this.exclusively(async () => {
        const entry = this.model(checksum);
        if (entry.onDevice === undefined) {
          this.letGo();
          const model = openRetrievalModel(await this.open(), entry.file, entry.summary.name, fewestPipelines);
          entry.onDevice = { model, one: await modelEmbeddings(model, 1, this.onCompiled), embedded: 0 };
        }
        return work(entry as OpenModel & { onDevice: NonNullable<OpenModel['onDevice']> });
      });
    return attempt().catch((error: unknown) => {
      if (!(error instanceof DeviceLostError)) throw error;
      this.forgetDevice();
      return attempt();
    });
  }

  /** One call after the other has the device. */
  private exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.queue.then(work);
    this.queue = result.catch(() => undefined);
    return result;
  }

  /** Takes all models off the device. */
  private letGo(): void {
    for (const entry of this.models.values()) {
      entry.onDevice?.one.destroy();
      entry.onDevice?.many?.destroy();
      entry.onDevice?.model.storage.destroy();
      entry.onDevice = undefined;
    }
  }

  private forgetDevice(): void {
    for (const entry of this.models.values()) entry.onDevice = undefined;
    this.device = undefined;
  }
}

const QUERY: Sample = { domain: 'sketch', className: '', name: 'the query' };
