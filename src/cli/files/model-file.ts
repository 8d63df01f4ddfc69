import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeInputConvention } from '../../nn/pixels.ts';
import { buildBackbone, DEFAULT_BACKBONE, type BackboneName } from '../../nn/backbones/index.ts';
import { Network } from '../../nn/layers.ts';
import { nonFiniteTensors } from '../../nn/state.ts';
import { isJsonObject, parseJson } from '../../formats/untrusted.ts';
import { packageFile } from '../../platform/node/package-files.ts';
import { parseModel, type ModelFile } from '../../models/model-file.ts';
import { backboneIn, pixelsIn } from '../../models/retrieval-model.ts';
import { parseWeights, type StartingWeights } from '../../training/weights.ts';
import { parseInputOption } from '../options/model.ts';
import { OptionError } from '../options/option.ts';
import { readLargeFile } from '../../platform/node/files.ts';
import { note } from '../display/progress.ts';

/**
 * The model that comes with the package, by its path from the root. The commands that search take it where no other is
 * given.
 */
const SEARCH_MODEL = 'models/search.safetensors';

/** The file of the model to search with. @param given by `--model` */
export const searchModelPath = (given: string | undefined): string => given ?? fileURLToPath(packageFile(SEARCH_MODEL));

/**
 * Reads a model. @throws OptionError where there is no such file, SafetensorsError or CheckpointError where it is none
 */
export async function readModelFile(path: string, flag: string): Promise<ModelFile> {
  const file = await parseModel(await readGivenFile(path, flag), path);
  warnOfNonFinite(file, path);
  return file;
}

/** Weights with a NaN give no embedding that means anything, and no error of their own. */
function warnOfNonFinite({ state }: ModelFile, path: string): void {
  const names = nonFiniteTensors(state);
  if (names.length > 0)
    note(
      `warning: ${path} holds values that are not finite, in ${names.slice(0, 4).join(', ')}${names.length > 4 ? ` and ${names.length - 4} more tensors` : ''}; a training from it will stop, and its embeddings are meaningless`,
    );
}

/** Reads starting weights, and what a config.json beside them says. @throws OptionError where there is no such file */
export async function readWeightsFile(
  file: string,
  flag: string,
  {
    weightsPrefix,
    input,
    backbone,
  }: { readonly weightsPrefix?: string; readonly input?: string; readonly backbone?: BackboneName },
): Promise<StartingWeights> {
  const convention = input === undefined ? undefined : parseInputOption(input);
  const readShard = (name: string): Promise<Uint8Array> => readGivenFile(path.join(path.dirname(file), name), flag);
  const weights = await parseWeights(await readGivenFile(file, flag), file, {
    backbone,
    prefix: weightsPrefix,
    input: convention,
    metadata: await metadataBeside(file),
    readShard,
  });
  warnOfNonFinite(weights.file, file);
  return weights;
}

/**
 * What weights say of the network that they are for, as options of a training. The width is that of the first
 * convolution where the description has none.
 */
export function optionsOfWeights(file: ModelFile, fileName: string): Record<string, unknown> {
  const { about } = file;
  const network =
    typeof about.network === 'object' && about.network !== null
      ? (about.network as Readonly<Record<string, unknown>>)
      : {};
  const pixels = pixelsIn(about, fileName);
  const { width = widthOf(file, fileName), stride, batchNormEpsilon, batchNormDomains, embedding } = network;
  const backbone = backboneIn(about, fileName);
  return {
    ...(backbone && { backbone }),
    width,
    stride,
    batchNormEpsilon,
    ...(about.sketches !== undefined && { sketches: about.sketches }),
    ...(about.views !== undefined && { views: about.views }),
    ...(batchNormDomains !== undefined && { batchNormDomains }),
    embedding,
    input: pixels && describeInputConvention({ order: 'RGB', white: 1, ...pixels }),
  };
}

/** The width of a network by its first convolution; undefined where there is none. */
export function widthOf({ about, state }: ModelFile, fileName: string): number | undefined {
  const [{ weight }] = buildBackbone(new Network(), { backbone: backboneIn(about, fileName) }).layers;
  const [usual, found] = [weight.shape[3], state.get(weight.name)?.shape[0]];
  return found === undefined ? undefined : found / usual;
}

/**
 * Before any picture is read, since all tensors of another backbone would be listed as mismatches after it.
 * @throws OptionError where the weights are of another backbone than the training
 */
export function requireBackbone({ about, state }: ModelFile, fileName: string, backbone: BackboneName): void {
  // Weights alone, without a description, may be of any.
  if (about.network === undefined || state.size === 0) return;
  const found = backboneIn(about, fileName) ?? DEFAULT_BACKBONE;
  if (found !== backbone)
    throw new OptionError(
      `--backbone ${backbone}: ${fileName} holds a ${found}; give --backbone ${found}, or leave --backbone out`,
    );
}

/**
 * Before any picture is read, since all tensors of another width would be listed as mismatches after it.
 * @throws OptionError where the weights are of another width than the training
 */
export function requireWidth(file: ModelFile, fileName: string, width: number, flag = '--weights'): void {
  const found = widthOf(file, fileName);
  if (found === undefined || found === width) return;
  throw new OptionError(
    flag === '--weights'
      ? `--width ${width}: ${fileName} holds a network of width ${found}; give --width ${found}, or leave --width out`
      : `${flag}: ${fileName} holds a network of width ${found}, and the training's is of width ${width}; give ${flag} a network of width ${width}, or --width ${found}`,
  );
}

/**
 * What files beside weights say of them: timm's config.json the input's mean and deviation, Hugging Face's config.json
 * where the strides are, and its preprocessor_config.json mean and deviation.
 */
async function metadataBeside(file: string): Promise<Map<string, string>> {
  const read = async (name: string): Promise<Readonly<Record<string, unknown>>> => {
    try {
      const content = parseJson(await readFile(path.join(path.dirname(file), name), 'utf8'), () => {
        throw new SyntaxError();
      });
      return isJsonObject(content) ? content : {};
    } catch {
      // There is none, or it is a config.json of something else.
      return {};
    }
  };
  const [config, preprocessor] = await Promise.all([read('config.json'), read('preprocessor_config.json')]);
  const timm = isJsonObject(config.pretrained_cfg) ? config.pretrained_cfg : {};
  const [mean, deviation] = [timm.mean ?? preprocessor.image_mean, timm.std ?? preprocessor.image_std];
  const inFirst = config.downsample_in_bottleneck;
  return new Map([
    ...(mean === undefined || deviation === undefined
      ? []
      : ([
          ['mean', JSON.stringify(mean)],
          ['std', JSON.stringify(deviation)],
        ] as const)),
    ...(typeof inFirst === 'boolean' ? ([['stride', inFirst ? 'v1' : 'v1.5']] as const) : []),
  ]);
}

/** A file named by the user. @throws OptionError that names the flag */
export async function readGivenFile(path: string, flag: string): Promise<Uint8Array> {
  try {
    return await readLargeFile(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OptionError(`${flag}: ${path} ${code === 'ENOENT' ? 'does not exist' : `cannot be read: ${message}`}`, {
      cause,
    });
  }
}

/** A list of names out of a model's description. */
export function namesIn(file: ModelFile, key: string): readonly string[] | undefined {
  const value = file.about[key];
  return Array.isArray(value) && value.every((name) => typeof name === 'string')
    ? (value as readonly string[])
    : undefined;
}
