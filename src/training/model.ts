import type { Chooser } from '../autodiff/choices.ts';
import type { Plan } from '../autodiff/plan.ts';
import { Storage } from '../autodiff/storage.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { ImageSource, Sample } from '../data/dataset.ts';
import { inOrder } from '../data/loader.ts';
import type { Device } from '../gpu/device.ts';
import type { Network } from '../nn/layers.ts';
import { RetrievalNetwork, type RetrievalNetworkSettings } from '../nn/retrieval-network.ts';
import { StateMismatchError, writeState, type State } from '../nn/state.ts';
import { Embedder } from '../retrieval/embedder.ts';
import { CheckpointError, type Json, type ModelFile } from './checkpoint.ts';
import { IMAGENET_PIXELS, imageInput } from './objectives.ts';

/** A retrieval network with its weights on a device, and the side in pixels of the images that it was trained on. */
export interface RetrievalModel {
  readonly network: RetrievalNetwork;
  readonly storage: Storage;
  readonly imageSize: number;
}

/** Images that a network sees at once where nothing is learned. */
export const EMBEDDING_BATCH = 32;

/** The description by which a file is known for a retrieval model: what `describeModel` writes and `openRetrievalModel` reads. */
export function describeModel(settings: RetrievalNetworkSettings, imageSize: number): Record<string, Json> {
  return { kind: 'retrieval', imageSize, network: { ...settings } };
}

/** What a file says of the retrieval network that it holds. @throws CheckpointError where it holds none */
export function readModelDescription({ about, state }: ModelFile, fileName: string): { readonly settings: RetrievalNetworkSettings; readonly imageSize: number } {
  const { kind, imageSize, network } = about;
  if (kind !== 'retrieval' || !isObject(network)) {
    const held = state.has('fc.weight')
      ? "a classifier's, from which a training can start: sketchgrad train --weights"
      : `${[...state].slice(0, 4).map(([name, { shape }]) => `${name} [${shape.join(', ')}]`).join(', ')}${state.size > 4 ? ` and ${state.size - 4} more` : ''}`;
    throw new CheckpointError(`${fileName} is no retrieval model: a file that sketchgrad train wrote is needed, and this one's weights are ${held || 'none at all'}`);
  }
  const number = (value: Json | undefined, name: string): number => {
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    throw new CheckpointError(`${fileName}: its description gives ${JSON.stringify(value)} for ${name}, where a number is needed; the file is damaged`);
  };
  const settings: RetrievalNetworkSettings = {
    width: number(network.width, 'width'),
    stride: network.stride === 'v1' ? 'v1' : 'v1.5',
    batchNormEpsilon: number(network.batchNormEpsilon, 'batchNormEpsilon'),
    batchNormMomentum: number(network.batchNormMomentum, 'batchNormMomentum'),
    embedding: number(network.embedding, 'embedding'),
    classes: number(network.classes, 'classes'),
    classifier: network.classifier === 'cosine' ? 'cosine' : 'linear',
    teacherClasses: number(network.teacherClasses, 'teacherClasses'),
  };
  return { settings, imageSize: number(imageSize, 'imageSize') };
}

/**
 * Puts a retrieval model on a device.
 * @param fileName for error messages
 * @param chooser of the variants of kernels
 * @throws CheckpointError where the file holds none, StateMismatchError where its weights are not those of its network
 */
export function openRetrievalModel(device: Device, file: ModelFile, fileName: string, chooser?: Chooser): RetrievalModel {
  const { settings, imageSize } = readModelDescription(file, fileName);
  const network = new RetrievalNetwork(settings);
  const storage = new Storage(device, chooser);
  loadState(network, storage, file.state, fileName);
  return { network, storage, imageSize };
}

/** writeState with the file's name in its error. */
export function loadState(network: Network, storage: Storage, state: State, fileName: string): void {
  try {
    writeState(network, storage, state);
  } catch (error) {
    if (error instanceof StateMismatchError) throw new StateMismatchError(`${fileName}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Computes something of each image of a list. */
export interface ImageRows {
  /** Values for each image. */
  readonly width: number;
  /** @returns [samples, width] */
  compute(samples: readonly Sample[], images: ImageSource, onProgress?: (done: number) => void): Promise<Float32Array>;
  destroy(): void;
}

/**
 * @param rows from images [batch, size, size, 4] to what is wanted of them, [batch, width]
 * @param imageSize side of the images in pixels
 */
export async function imageRows(storage: Storage, imageSize: number, rows: (images: Tensor) => Tensor, batchSize = EMBEDDING_BATCH): Promise<ImageRows> {
  const embedder = await Embedder.create(storage, rows(imagesOf(imageSize, batchSize)));
  return {
    width: embedder.width,
    compute: (samples, images, onProgress) => embedder.embed(inOrder(samples, batchSize, { images, sourceSize: imageSize, outputSize: imageSize }), samples.length, onProgress),
    destroy: () => embedder.destroy(),
  };
}

/** The model's embeddings, of length 1, by which sketches and photos are compared. They follow its weights as these change. */
export function modelEmbeddings({ network, storage, imageSize }: RetrievalModel, batchSize = EMBEDDING_BATCH): Promise<ImageRows> {
  return imageRows(storage, imageSize, (images) => network.apply(images, 'eval').embeddings, batchSize);
}

/** The plan of `modelEmbeddings`, for whoever counts its memory. */
export function planEmbeddings({ network, storage, imageSize }: RetrievalModel, batchSize: number): Promise<Plan> {
  return Embedder.plan(storage, network.apply(imagesOf(imageSize, batchSize), 'eval').embeddings);
}

const imagesOf = (size: number, count: number): Tensor => imageInput({ count, sourceSize: size, size, pixels: IMAGENET_PIXELS });

const isObject = (value: Json | undefined): value is { readonly [name: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value);
