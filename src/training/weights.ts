import { isLoneShard, isShardIndex, parseShards } from '../formats/sharded.ts';
import { parseTensorFile, TensorFileError } from '../formats/tensor-file.ts';
import { DEFAULT_BACKBONE } from '../nn/backbones/index.ts';
import { pixelNormalization, type PixelNormalization } from '../nn/pixels.ts';
import { readPretrainedWeights, type PretrainedOptions, type PretrainedWeights } from '../nn/pretrained.ts';
import {
  CheckpointError,
  isModelFile,
  modelChecksum,
  parseModel,
  type Json,
  type ModelFile,
} from '../models/model-file.ts';
import { pixelsIn } from '../models/retrieval-model.ts';

/** Weights to start a training from: a model of ours, or what a file of others holds of a backbone. */
export interface StartingWeights {
  readonly file: ModelFile;
  /** Given for a file of others. */
  readonly pretrained?: PretrainedWeights & { readonly format: string };
}

/** What `about.kind` says of weights that others trained; they may lack tensors, which then are drawn anew. */
export const PRETRAINED = 'pretrained';

/** How a file of starting weights is read. */
export interface WeightsOptions extends PretrainedOptions {
  /** What others say of the file beside it. */
  readonly metadata?: ReadonlyMap<string, string>;
  /** Gives the bytes of a file beside it, where it is an index of shards. */
  readonly readShard?: (name: string) => Promise<Uint8Array>;
}

/**
 * Reads starting weights: a model or checkpoint of ours, or a backbone of others as safetensors or by torch.save, also
 * in shards, by their index (docs/weights.md).
 * @param options for a file of others
 * @throws SafetensorsError, PyTorchFileError, TensorFileError, StateMismatchError, InputConventionError,
 * CheckpointError
 */
export async function parseWeights(
  bytes: Uint8Array,
  fileName: string,
  options: WeightsOptions = {},
): Promise<StartingWeights> {
  if (isLoneShard(fileName))
    throw new TensorFileError(
      `${fileName} is one of several shards, and holds a part of the weights; give their index, which is in the same folder (such as model.safetensors.index.json)`,
    );
  const readShard =
    options.readShard ??
    (async (name) => {
      throw new TensorFileError(
        `${fileName} is an index of shards, and ${name} cannot be read from here; give one file with all weights`,
      );
    });
  const tensors = isShardIndex(bytes)
    ? await parseShards(bytes, fileName, readShard)
    : await parseTensorFile(bytes, fileName);
  if (isModelFile(tensors.metadata)) {
    const file = await parseModel(bytes, fileName);
    // To say again what the file says is no contradiction; a run that begins again does so.
    const contradicted =
      options.input !== undefined && !samePixels(pixelNormalization(options.input), pixelsIn(file.about, fileName));
    if (contradicted || options.prefix !== undefined)
      throw new CheckpointError(
        `${fileName} is a model of sketchgrad's, which says itself how it is fed: leave out --input and --weights-prefix`,
      );
    return { file };
  }
  const found = readPretrainedWeights(
    { ...tensors, metadata: new Map([...(options.metadata ?? []), ...tensors.metadata]) },
    fileName,
    options,
  );
  const { backbone, state, width, stride, batchNormEpsilon, input } = found;
  const about: Record<string, Json> = {
    kind: PRETRAINED,
    network: {
      ...(backbone !== DEFAULT_BACKBONE && { backbone }),
      width,
      ...(stride !== undefined && { stride }),
      ...(batchNormEpsilon !== undefined && { batchNormEpsilon }),
    },
    ...(input !== undefined && { pixels: { ...pixelNormalization(input) } }),
  };
  return {
    file: { state, about, checksum: await modelChecksum(state), moments: new Map(), tables: new Map(), step: 0 },
    pretrained: { ...found, format: tensors.format },
  };
}

const samePixels = (a: PixelNormalization, b: PixelNormalization | undefined): boolean =>
  [...a.mean, ...a.deviation].join() === (b && [...b.mean, ...b.deviation].join());
