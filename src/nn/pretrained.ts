/**
 * A backbone's weights out of files that others wrote. torchvision and timm use one set of names, Hugging Face's
 * transformers another (`BackboneDefinition.namings`). Files also differ in what precedes the names (`state_dict.`,
 * `module.` of DataParallel, `backbone.`, `encoder_q.` of MoCo), in where the strides are, in what is added to the
 * variances, in whether convolutions have biases, and in how pixels are normalized.
 */
import { floatsOf, type TensorFile } from '../formats/tensor-file.ts';
import type { Backbone, BackboneShape, TensorNaming } from './backbones/backbone.ts';
import {
  BACKBONE_NAMES,
  backboneDefinition,
  buildBackbone,
  DEFAULT_BACKBONE,
  type BackboneName,
} from './backbones/index.ts';
import { Network } from './layers.ts';
import type { InputConvention } from './pixels.ts';
import { epsilonOf, inputOf, strideOf } from './pretrained-metadata.ts';
import { findBackbone, findClassifier, type Fail, type Shapes } from './pretrained-names.ts';
import { StateMismatchError, type State, type StateTensor } from './state.ts';

/** What a file holds of a backbone, under torchvision's names. */
export interface PretrainedWeights {
  readonly backbone: BackboneName;
  /**
   * The backbone and, where it is whole and the file has one, the classifier `fc`; for images whose channels are red,
   * green and blue.
   */
  readonly state: State;
  /** What precedes the names in the file. */
  readonly prefix: string;
  /** Whose names they are, in words. */
  readonly names: string;
  /** Factor of all numbers of channels; 1 is the network of the paper. */
  readonly width: number;
  /**
   * Tensors of the backbone that are drawn anew: those that the file does not have, and the batch norms after
   * convolutions that it does not have.
   */
  readonly absent: readonly string[];
  /**
   * Tensors of the file that have no use here, as the file calls them: none of the backbone's, or of a batch norm whose
   * convolution is absent.
   */
  readonly unused: readonly string[];
  /** What the file says of itself; undefined where it says nothing. */
  readonly stride: BackboneShape['stride'] | undefined;
  readonly batchNormEpsilon: number | undefined;
  readonly input: InputConvention | undefined;
}

/** How a file of others' weights is read. */
export interface PretrainedOptions {
  /** The backbone that the file holds. Default: resnet50, whole or in part, or the other one that is whole in the file. */
  readonly backbone?: BackboneName;
  /** What precedes the names of the wanted network, where the file holds several. Default: found. */
  readonly prefix?: string;
  /** How pixels are normalized, where the file does not say it, or says it wrongly. */
  readonly input?: InputConvention;
}

const LARGEST_WIDTH = 64;
/** Counts batches for a cumulative average, which is not used. */
const IGNORED = /(^|\.)num_batches_tracked$/;

/**
 * Finds a backbone in a file of tensors. The file may lack tensors, but those that it has must fit, and under the
 * backbone's names it must have no others: a ResNet50-D or a ResNeXt is refused.
 * @throws StateMismatchError that names the tensors, InputConventionError where what the file says of its input is not
 * understood
 */
export function readPretrainedWeights(
  file: TensorFile,
  fileName: string,
  options: PretrainedOptions = {},
): PretrainedWeights {
  const fail: Fail = (problem) => {
    throw new StateMismatchError(`${fileName}: ${problem}`);
  };
  const found = options.backbone === undefined ? bestMatch(file, options) : matchOf(file, options.backbone, options);
  if ('problem' in found) return fail(found.problem);
  const { backbone, width, prefix, naming, state, absent, unused } = found;
  const input = options.input ?? inputOf(file.metadata, fileName);
  if (input?.order === 'BGR') reverseColors(state, found.firstWeight);
  return {
    backbone,
    state,
    prefix,
    names: naming.title,
    width,
    absent,
    unused,
    stride: strideOf(file.metadata),
    batchNormEpsilon: epsilonOf(file.metadata, fail),
    input,
  };
}

/** A file read as a backbone's. */
interface Match extends Pick<PretrainedWeights, 'backbone' | 'width' | 'prefix' | 'absent' | 'unused'> {
  readonly naming: TensorNaming;
  readonly state: Map<string, StateTensor>;
  /** The name of the convolution that reads the images. */
  readonly firstWeight: string;
}

/** Why a file is not a backbone's. */
interface Mismatch {
  readonly problem: string;
}

/** The default backbone, of which tensors may be absent, or the other one that the file holds all of. */
function bestMatch(file: TensorFile, options: PretrainedOptions): Match | Mismatch {
  const usual = matchOf(file, DEFAULT_BACKBONE, options);
  if (!('problem' in usual)) return usual;
  for (const name of BACKBONE_NAMES) {
    const other = name === DEFAULT_BACKBONE ? usual : matchOf(file, name, options);
    if (!('problem' in other) && other.absent.length === 0) return other;
  }
  return usual;
}

class NoMatch extends Error {}

/** Reads a file as that of one backbone. */
function matchOf(file: TensorFile, backbone: BackboneName, options: PretrainedOptions): Match | Mismatch {
  try {
    return readAs(file, backbone, options, (problem) => {
      throw new NoMatch(problem);
    });
  } catch (error) {
    if (error instanceof NoMatch) return { problem: error.message };
    throw error;
  }
}

function readAs(file: TensorFile, backbone: BackboneName, options: PretrainedOptions, fail: Fail): Match {
  const { title, namings } = backboneDefinition(backbone);
  const usual = tensorsOf(backbone, 1);
  const names = [...file.tensors.keys()].filter((name) => !IGNORED.test(name));
  const { prefix, naming } = findBackbone(file.tensors, names, { title, namings, shapes: usual.shapes }, options, fail);
  const nameInFile = (name: string): string => prefix + naming.inFile(name);
  const width = widthOf(file, usual.shapes, nameInFile);
  if (!Number.isInteger(4 * width) || width <= 0 || width > LARGEST_WIDTH)
    return fail(`its width of ${width} times ${title}'s is no multiple of a quarter up to ${LARGEST_WIDTH}`);
  const { shapes, features, layers } = tensorsOf(backbone, width);

  const state = new Map<string, StateTensor>();
  const used = new Set<string>();
  const misshapen: string[] = [];
  const valuesOf = (called: string, expected: readonly number[]): StateTensor | undefined => {
    const tensor = file.tensors.get(called);
    if (tensor === undefined) return undefined;
    used.add(called);
    const { shape } = tensor;
    if (sameShape(shape, expected)) return { shape, values: floatsOf(tensor, called) };
    misshapen.push(
      `${called}: the file has [${shape.join(', ')}], a ${title} of width ${width} has [${expected.join(', ')}]`,
    );
    return undefined;
  };
  const take = (name: string, called: string, expected: readonly number[]): void => {
    const found = valuesOf(called, expected);
    if (found !== undefined) state.set(name, found);
  };
  // What a batch norm learned of a convolution that is not there says nothing of the one that is drawn in its place:
  // pretrained shifts after random weights leave most of their channels below 0 (docs/method.md has the figures).
  const withoutConvolution = layers
    .filter(({ weight }) => !file.tensors.has(nameInFile(weight.name)))
    .map(({ norm }) => `${norm.name}.`);
  for (const [name, shape] of shapes)
    if (!withoutConvolution.some((norm) => name.startsWith(norm))) take(name, nameInFile(name), shape);
  for (const { weight, norm } of naming.biasInFile === undefined ? [] : layers) {
    const mean = state.get(norm.mean.name);
    const bias = mean && valuesOf(prefix + naming.biasInFile!(weight.name), mean.shape);
    if (mean === undefined || bias === undefined) continue;
    const values = mean.values.map((value, channel) => value - bias.values[channel]);
    state.set(norm.mean.name, { ...mean, values });
  }
  const absent = [...shapes.keys()].filter((name) => !state.has(name));
  // A classifier means something on the features that it was trained on, and a backbone with new tensors has others.
  const classifier = absent.length > 0 ? undefined : findClassifier(file.tensors, prefix, naming.classifiers);
  if (classifier !== undefined) {
    const classes = file.tensors.get(`${classifier}.weight`)?.shape[0] ?? 0;
    take('fc.weight', `${classifier}.weight`, [classes, features]);
    take('fc.bias', `${classifier}.bias`, [classes]);
  }

  const unused = names.filter((name) => !used.has(name));
  const known = new Set([...shapes.keys()].map(nameInFile));
  const modules = new Set([...shapes.keys()].map((name) => naming.inFile(name).split('.', 1)[0]));
  const foreign = unused.filter(
    (name) => !known.has(name) && name.startsWith(prefix) && modules.has(name.slice(prefix.length).split('.', 1)[0]),
  );
  if (misshapen.length > 0 || foreign.length > 0)
    return fail(
      `it is of another network than a ${title}${options.backbone === undefined ? ', and no other known backbone is whole in it (name the one that is there in part: --backbone)' : ''}${listed('different shapes', misshapen)}${listed(`tensors that a ${title} does not have`, foreign)}`,
    );
  return { backbone, width, prefix, naming, state, absent, unused, firstWeight: layers[0].weight.name };
}

/** The shapes of a backbone's tensors in files, under our names. */
function tensorsOf(
  name: BackboneName,
  width: number,
): { readonly shapes: Shapes } & Pick<Backbone, 'features' | 'layers'> {
  const network = new Network();
  const { features, layers } = buildBackbone(network, { backbone: name, width });
  return { features, layers, shapes: new Map([...network.layouts].map(([key, { fileShape }]) => [key, fileShape])) };
}

/** From the first tensor that is there: outputs over those at width 1. */
function widthOf(file: TensorFile, shapes: Shapes, nameInFile: (name: string) => string): number {
  for (const [name, expected] of shapes) {
    const found = file.tensors.get(nameInFile(name))?.shape;
    if (found !== undefined && found.length === expected.length) return found[0] / expected[0];
  }
  return 1;
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, index) => size === b[index]);

const MOST_LISTED = 12;
function listed(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  const more = lines.length > MOST_LISTED ? `\n  and ${lines.length - MOST_LISTED} more` : '';
  return `\n${title}:\n  ${lines.slice(0, MOST_LISTED).join('\n  ')}${more}`;
}

/** Reorders the first convolution's blue, green, red to red, green, blue, so that every model of ours has one input. */
function reverseColors(state: Map<string, StateTensor>, firstWeight: string): void {
  const first = state.get(firstWeight);
  if (first === undefined) return;
  const [outputs, colors, height, width] = first.shape;
  const plane = height * width;
  const values = new Float32Array(first.values.length);
  for (let output = 0; output < outputs; output++) {
    for (let color = 0; color < colors; color++) {
      const from = (output * colors + color) * plane;
      values.set(first.values.subarray(from, from + plane), (output * colors + colors - 1 - color) * plane);
    }
  }
  state.set(firstWeight, { shape: first.shape, values });
}
