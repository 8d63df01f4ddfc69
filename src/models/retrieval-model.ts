import type { VariantSelector } from '../autodiff/variant-selector.ts';
import { DeviceStorage } from '../autodiff/device-storage.ts';
import type { SketchFraming } from '../data/sketch-framing.ts';
import { quoteValue } from '../formats/untrusted.ts';
import type { Device } from '../gpu/device.ts';
import type { Network } from '../nn/layers.ts';
import { RetrievalNetwork, type RetrievalNetworkSettings } from '../nn/retrieval-network.ts';
import { BACKBONE_NAMES, type BackboneName } from '../nn/backbones/index.ts';
import { IMAGENET_PIXELS, type Color, type PixelNormalization } from '../nn/pixels.ts';
import { StateMismatchError, writeState, type LoadReport, type State } from '../nn/state.ts';
import { CheckpointError, type Json, type ModelFile } from './model-file.ts';
import { type Precision } from './image-input.ts';

/**
 * What an embedding is made of: the image alone, or the image and its mirror image, by the mean of both embeddings. That
 * takes two passes through the network.
 */
export type Views = 'single' | 'mirrored';

/**
 * How images are fed to a network: their side in pixels, what becomes of the pixels, and the type they are stored in.
 */
export interface NetworkInput {
  readonly imageSize: number;
  readonly pixels: PixelNormalization;
  /** How sketches were laid out in training, and so how a sketch to search with must be; `whole` if left out. */
  readonly sketches?: SketchFraming;
  /** What an embedding is made of; `single` if left out. */
  readonly views?: Views;
  /** How activations are stored; f32 if left out. */
  readonly precision?: Precision;
}

/** A retrieval network with its weights on a device, and the input that it was trained on. */
export interface RetrievalModel extends NetworkInput {
  readonly network: RetrievalNetwork;
  readonly storage: DeviceStorage;
}

/** Far above any network's numbers of classes, components and pixels; from there on a device's memory is the limit. */
const LARGEST_COUNT = 2 ** 20;
/** What is below is no number that a float32 variance would notice. */
const LEAST_EPSILON = 1e-30;

/**
 * The description by which a file is known for a retrieval model: what `describeModel` writes and `openRetrievalModel`
 * reads.
 */
export function describeModel(
  settings: RetrievalNetworkSettings,
  { imageSize, pixels, sketches, views }: NetworkInput,
): Record<string, Json> {
  return {
    kind: 'retrieval',
    imageSize,
    pixels: { ...pixels },
    ...(sketches !== undefined && { sketches }),
    ...(views === 'mirrored' && { views }),
    network: { ...settings },
  };
}

/** What a file says of the retrieval network that it holds. @throws CheckpointError where it holds none */
export function readModelDescription(
  { about, state }: ModelFile,
  fileName: string,
): NetworkInput & { readonly settings: RetrievalNetworkSettings } {
  const { kind, imageSize, sketches, views, network } = about;
  if (kind !== 'retrieval' || !isObject(network)) {
    const held = state.has('fc.weight')
      ? "a classifier's, from which a training can start: sketchgrad train --weights"
      : `${[...state]
          .slice(0, 4)
          .map(([name, { shape }]) => `${name} [${shape.join(', ')}]`)
          .join(', ')}${state.size > 4 ? ` and ${state.size - 4} more` : ''}`;
    throw new CheckpointError(
      `${fileName} is no retrieval model: a file that sketchgrad train wrote is needed, and this one's weights are ${held || 'none at all'}`,
    );
  }
  const said = <Value>(value: unknown, name: string, holds: boolean, needed: string): Value => {
    if (holds) return value as Value;
    throw new CheckpointError(
      `${fileName}: its description gives ${quoteValue(value)} for ${name}, where ${needed} is needed; the file is damaged`,
    );
  };
  const number = (value: unknown, name: string, least: number): number =>
    said(value, name, typeof value === 'number' && value >= least && value <= 1, `a number from ${least} to 1`);
  const count = (value: unknown, name: string, least = 1): number =>
    said(
      value,
      name,
      Number.isInteger(value) && (value as number) >= least && (value as number) <= LARGEST_COUNT,
      `a whole number from ${least} to ${LARGEST_COUNT}`,
    );
  const word = <const Words extends readonly string[]>(value: unknown, name: string, ...words: Words): Words[number] =>
    said(value ?? words[0], name, value === undefined || words.includes(value as string), words.join(' or '));
  const settings: RetrievalNetworkSettings = {
    ...(network.backbone !== undefined && { backbone: backboneIn(about, fileName) }),
    width: count(typeof network.width === 'number' ? 4 * network.width : network.width, '4 x width') / 4,
    stride: word(network.stride, 'stride', 'v1.5', 'v1'),
    batchNormEpsilon: number(network.batchNormEpsilon, 'batchNormEpsilon', LEAST_EPSILON),
    batchNormMomentum: number(network.batchNormMomentum, 'batchNormMomentum', 0),
    embedding: count(network.embedding, 'embedding'),
    classes: count(network.classes, 'classes'),
    classifier: word(network.classifier, 'classifier', 'linear', 'cosine'),
    teacherClasses: count(network.teacherClasses, 'teacherClasses', 0),
    ...(network.batchNormDomains !== undefined && {
      batchNormDomains: word(network.batchNormDomains, 'batchNormDomains', 'shared', 'separate'),
    }),
  };
  return {
    settings,
    imageSize: count(imageSize, 'imageSize'),
    pixels: pixelsIn(about, fileName) ?? IMAGENET_PIXELS,
    sketches: word(sketches, 'sketches', 'whole', 'fitted'),
    views: word(views, 'views', 'single', 'mirrored'),
  };
}

/**
 * The similarity below which the best answer of a search means nothing, as it was calibrated for a model:
 * `similarity.nothing` of its description.
 * @returns undefined for a model that was not calibrated
 * @throws CheckpointError where it is no cosine
 */
export function similarityCutOff(
  { about: { similarity } }: Pick<ModelFile, 'about'>,
  fileName: string,
): number | undefined {
  if (similarity === undefined) return undefined;
  const nothing = isObject(similarity) ? similarity.nothing : similarity;
  if (typeof nothing === 'number' && nothing >= -1 && nothing <= 1) return nothing;
  throw new CheckpointError(
    `${fileName}: its description gives ${quoteValue(similarity)} for similarity, where { "nothing": a number from -1 to 1 } is needed; the file is damaged`,
  );
}

/**
 * The backbone that a file's description names; undefined where it names none, which then is the default one.
 * @throws CheckpointError where there is no such backbone
 */
export function backboneIn({ network }: ModelFile['about'], fileName: string): BackboneName | undefined {
  const said = isObject(network) ? network.backbone : undefined;
  if (said === undefined) return undefined;
  const found = BACKBONE_NAMES.find((name) => name === said);
  if (found !== undefined) return found;
  throw new CheckpointError(
    `${fileName}: its description gives ${quoteValue(said)} for backbone, where ${BACKBONE_NAMES.join(', ')} are known; it is of a newer version, or damaged`,
  );
}

/**
 * How a file says that its weights want their pixels; undefined where it does not. @throws CheckpointError where that
 * is no sense
 */
export function pixelsIn({ pixels }: ModelFile['about'], fileName: string): PixelNormalization | undefined {
  if (pixels === undefined) return undefined;
  const color = (value: Json | undefined): value is Color & Json =>
    Array.isArray(value) && value.length === 3 && value.every((item) => Number.isFinite(item));
  if (
    isObject(pixels) &&
    color(pixels.mean) &&
    color(pixels.deviation) &&
    pixels.deviation.every((value) => value > 0)
  )
    return { mean: pixels.mean, deviation: pixels.deviation };
  throw new CheckpointError(
    `${fileName}: its description gives ${quoteValue(pixels)} for pixels, where mean and deviation of three colors are needed; the file is damaged`,
  );
}

/**
 * Puts a retrieval model on a device.
 * @param fileName for error messages
 * @param selector of the variants of kernels
 * @param precision in which it will be run; the weights on the device are f32 either way
 * @throws CheckpointError where the file holds none, StateMismatchError where its weights are not those of its network
 */
export function openRetrievalModel(
  device: Device,
  file: ModelFile,
  fileName: string,
  selector?: VariantSelector,
  precision?: Precision,
): RetrievalModel {
  const { settings, ...input } = readModelDescription(file, fileName);
  const network = new RetrievalNetwork(settings);
  const storage = new DeviceStorage(device, selector);
  loadState(network, storage, file.state, fileName);
  return { network, storage, ...input, precision };
}

/** writeState with the file's name in its error. */
export function loadState(
  network: Network,
  storage: DeviceStorage,
  state: State,
  fileName: string,
  options?: Parameters<typeof writeState>[3],
): LoadReport {
  try {
    return writeState(network, storage, state, options);
  } catch (error) {
    if (error instanceof StateMismatchError)
      throw new StateMismatchError(`${fileName}: ${error.message}`, { cause: error });
    throw error;
  }
}

const isObject = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
