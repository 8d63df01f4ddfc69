/**
 * ResNet50's weights out of files that others wrote. torchvision and timm call its tensors alike, Hugging Face's
 * transformers otherwise; what differs besides is what stands before the names (`state_dict.`, `module.` of
 * DataParallel, `backbone.`, `encoder_q.` of MoCo), where the strides are, what is added to the variances, and how
 * pixels come in.
 */
import { floatsOf, type FileTensor, type TensorFile } from '../formats/tensor-file.ts';
import { quote } from '../formats/untrusted.ts';
import { InputConventionError, parseInputConvention, type InputConvention } from './pixels.ts';
import type { ResNet50Settings } from './resnet.ts';
import { Classifier } from './retrieval-network.ts';
import { StateMismatchError, type State, type StateTensor } from './state.ts';

/** What a file holds of a ResNet50, under torchvision's names. */
export interface PretrainedResNet50 {
  /**
   * Trunk and, where the trunk is whole and the file has one, the classifier `fc`; for images whose channels are red,
   * green and blue.
   */
  readonly state: State;
  /** What stands before the names in the file. */
  readonly prefix: string;
  /** Whose names they are, in words. */
  readonly names: string;
  /** Of the channels; 1 is the network of the paper. */
  readonly width: number;
  /**
   * Tensors of the trunk that are drawn anew: those that the file does not have, and the batch norms after convolutions
   * that it does not have.
   */
  readonly absent: readonly string[];
  /**
   * Tensors of the file that have no use here, as the file calls them: none of a ResNet50's, or of a batch norm whose
   * convolution is absent.
   */
  readonly unused: readonly string[];
  /** What the file says of itself; undefined where it says nothing. */
  readonly stride: ResNet50Settings['stride'] | undefined;
  readonly batchNormEpsilon: number | undefined;
  readonly input: InputConvention | undefined;
}

/** The batch norm after a convolution, by the name of its weight; undefined for another tensor. */
function normAfter(name: string): string | undefined {
  const found = /^(.*?)(?:conv(\d)|downsample\.0)\.weight$/.exec(name);
  return found === null ? undefined : `${found[1]}${found[2] === undefined ? 'downsample.1' : `bn${found[2]}`}`;
}

export interface PretrainedOptions {
  /** What stands before the names of the network that is meant, where the file holds several. Default: found. */
  readonly prefix?: string;
  /** How pixels come in, where the file does not say it, or says it wrongly. */
  readonly input?: InputConvention;
}

/** How a kind of file calls a trunk's tensors. */
interface Naming {
  /** For messages. */
  readonly title: string;
  /** The name in such a file of a tensor that torchvision calls `name`. */
  inFile(name: string): string;
  /** First parts of all names of a trunk. */
  readonly firstParts: readonly string[];
  /** What the classifier is called, beside the trunk or one level above. */
  readonly classifiers: readonly string[];
}

const CHILDREN: Readonly<Record<string, string>> = {
  conv1: '0',
  bn1: '1',
  layer1: '4',
  layer2: '5',
  layer3: '6',
  layer4: '7',
};

const NAMINGS: readonly Naming[] = [
  {
    title: "torchvision's and timm's",
    inFile: (name) => name,
    firstParts: Object.keys(CHILDREN),
    classifiers: ['fc', 'head.fc'],
  },
  {
    title: "torchvision's, its children numbered",
    // As nn.Sequential(*resnet.children()) does.
    inFile(name) {
      const [first, ...rest] = name.split('.');
      return [CHILDREN[first], ...rest].join('.');
    },
    firstParts: Object.values(CHILDREN),
    classifiers: ['fc', 'head.fc'],
  },
  {
    title: "Hugging Face's",
    inFile: (name) =>
      name
        .replace(/^conv1\./, 'embedder.embedder.convolution.')
        .replace(/^bn1\./, 'embedder.embedder.normalization.')
        .replace(
          /^layer(\d)\.(\d+)\./,
          (_, stage: string, block: string) => `encoder.stages.${Number(stage) - 1}.layers.${block}.`,
        )
        .replace(/\.downsample\.0\./, '.shortcut.convolution.')
        .replace(/\.downsample\.1\./, '.shortcut.normalization.')
        .replace(
          /\.(conv|bn)(\d)\./,
          (_, kind: string, place: string) =>
            `.layer.${Number(place) - 1}.${kind === 'conv' ? 'convolution' : 'normalization'}.`,
        ),
    firstParts: ['embedder', 'encoder'],
    classifiers: ['classifier.1'],
  },
];
/** Longer names are none of a network's, and are not looked into. */
const LONGEST_NAME = 512;
const LARGEST_WIDTH = 64;
/** Counts batches for an average that nobody takes. */
const IGNORED = /(^|\.)num_batches_tracked$/;

/**
 * Finds a ResNet50 in a file of tensors. The file may lack tensors, but what it has must fit, and of the trunk it must
 * have nothing that a ResNet50 has not: a ResNet101 or a ResNet50-D is none.
 * @throws StateMismatchError that names the tensors, InputConventionError where what the file says of its input is not
 * understood
 */
export function readPretrainedResNet50(
  file: TensorFile,
  fileName: string,
  options: PretrainedOptions = {},
): PretrainedResNet50 {
  const fail = (problem: string): never => {
    throw new StateMismatchError(`${fileName}: ${problem}`);
  };
  const names = [...file.tensors.keys()].filter((name) => !IGNORED.test(name));
  const { prefix, naming } = findTrunk(file.tensors, names, options.prefix, fail);
  const nameInFile = (name: string): string => prefix + naming.inFile(name);
  const width = widthOf(file, nameInFile);
  const shapes = trunkShapes(width, fail);

  const state = new Map<string, StateTensor>();
  const used = new Set<string>();
  const misshapen: string[] = [];
  const take = (name: string, called: string, expected: readonly number[] | undefined): void => {
    const tensor = file.tensors.get(called);
    if (tensor === undefined) return;
    used.add(called);
    const { shape } = tensor;
    if (expected !== undefined && !sameShape(shape, expected))
      misshapen.push(
        `${called}: the file has [${shape.join(', ')}], a ResNet50 of width ${width} has [${expected.join(', ')}]`,
      );
    else state.set(name, { shape, values: floatsOf(tensor, called) });
  };
  // What a batch norm learned of a convolution that is not there says nothing of the one that is drawn in its place:
  // pretrained shifts after random weights leave most of their channels below 0 (docs/method.md has the figures).
  const withoutConvolution = [...shapes.keys()]
    .filter((name) => !file.tensors.has(nameInFile(name)))
    .flatMap((name) => normAfter(name) ?? []);
  for (const [name, shape] of shapes)
    if (!withoutConvolution.some((norm) => name.startsWith(`${norm}.`))) take(name, nameInFile(name), shape);
  const absent = [...shapes.keys()].filter((name) => !state.has(name));
  // A classifier means something on the features that it was trained on, and a trunk with new tensors has others.
  const classifier = absent.length > 0 ? undefined : findClassifier(file.tensors, prefix, naming.classifiers);
  if (classifier !== undefined) {
    const classes = file.tensors.get(`${classifier}.weight`)?.shape[0] ?? 0;
    take('fc.weight', `${classifier}.weight`, [classes, FEATURES * width]);
    take('fc.bias', `${classifier}.bias`, [classes]);
  }

  const unused = names.filter((name) => !used.has(name));
  const known = new Set([...shapes.keys()].map(nameInFile));
  const foreign = unused.filter(
    (name) =>
      !known.has(name) &&
      name.startsWith(prefix) &&
      naming.firstParts.includes(name.slice(prefix.length).split('.', 1)[0]),
  );
  if (misshapen.length > 0 || foreign.length > 0) {
    fail(
      `it is of another network than a ResNet50${listed('different shapes', misshapen)}${listed('tensors that a ResNet50 does not have', foreign)}`,
    );
  }
  const input = options.input ?? inputOf(file.metadata, fileName);
  if (input?.order === 'BGR') turnColours(state);
  return {
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

// Names.

/** The prefix under which most of a trunk's names are, and how they are called. */
function findTrunk(
  tensors: ReadonlyMap<string, FileTensor>,
  names: readonly string[],
  wanted: string | undefined,
  fail: (problem: string) => never,
): { readonly prefix: string; readonly naming: Naming } {
  const known = new Map(
    NAMINGS.flatMap((naming) =>
      [...trunkShapes(1, fail)].map(([name, shape]) => [naming.inFile(name), { naming, shape }] as const),
    ),
  );
  const found = new Map<string, { readonly prefix: string; readonly naming: Naming; count: number; fitting: number }>();
  // A number is a short name, which others have as well (`classifier.1.bias`); there the shape tells.
  const fits = (name: string, expected: readonly number[]): boolean => {
    const shape = tensors.get(name)?.shape ?? [];
    return shape.length === expected.length && Number.isInteger((4 * shape[0]) / expected[0]);
  };
  for (const name of names) {
    if (name.length > LONGEST_NAME) continue;
    for (let dot = -1; ;) {
      const prefix = name.slice(0, dot + 1);
      const { naming, shape } = known.get(name.slice(dot + 1)) ?? {};
      if (naming !== undefined && shape !== undefined && (wanted === undefined || prefix === wanted)) {
        const key = `${naming.title} ${prefix}`;
        const entry = found.get(key) ?? { prefix, naming, count: 0, fitting: 0 };
        found.set(key, entry);
        entry.count++;
        entry.fitting += Number(fits(name, shape));
      }
      dot = name.indexOf('.', dot + 1);
      if (dot < 0) break;
    }
  }
  const [best, ...others] = [...found.values()].sort((a, b) => b.fitting - a.fitting || b.count - a.count);
  if (best === undefined) {
    const some = names.slice(0, 4).map(quote).join(', ');
    return fail(
      `it holds nothing of a ResNet50${wanted === undefined ? '' : ` under the prefix "${wanted}"`}: its tensors are ${some}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`,
    );
  }
  // A block within the trunk has some of its names too, and a second network most of them.
  const rivals = others.filter(({ fitting, count }) =>
    best.fitting > 0 ? 2 * fitting > best.fitting : 2 * count > best.count,
  );
  if (rivals.length > 0)
    fail(
      `it holds several networks; say which by its prefix (--weights-prefix): ${[best, ...rivals].map(({ prefix }) => JSON.stringify(prefix)).join(', ')}`,
    );
  return best;
}

/** The name of the layer whose weight and bias classify, under the trunk's prefix or beside the trunk. */
function findClassifier(
  tensors: ReadonlyMap<string, FileTensor>,
  prefix: string,
  names: readonly string[],
): string | undefined {
  const beside = prefix.slice(0, prefix.lastIndexOf('.', prefix.length - 2) + 1);
  return [prefix, beside]
    .flatMap((start) => names.map((name) => start + name))
    .find(
      (name) =>
        tensors.get(`${name}.weight`)?.shape.length === 2 &&
        tensors.get(`${name}.weight`)?.shape[0] !== 0 &&
        tensors.has(`${name}.bias`),
    );
}

// Shapes.

/** Components of the features at width 1. */
const FEATURES = 2048;

function trunkShapes(width: number, fail: (problem: string) => never): Map<string, readonly number[]> {
  if (!Number.isInteger(4 * width) || width <= 0 || width > LARGEST_WIDTH)
    fail(`its width of ${width} times ResNet50's is no multiple of a quarter up to ${LARGEST_WIDTH}`);
  const { layouts } = new Classifier({ width, classes: 1 });
  return new Map(
    [...layouts].filter(([name]) => !name.startsWith('fc.')).map(([name, { fileShape }]) => [name, fileShape]),
  );
}

/** From the first tensor that is there: outputs over those at width 1. */
function widthOf(file: TensorFile, nameInFile: (name: string) => string): number {
  for (const [name, shape] of new Classifier({ classes: 1 }).layouts) {
    const found = file.tensors.get(nameInFile(name))?.shape;
    if (found !== undefined && found.length === shape.fileShape.length && !name.startsWith('fc.'))
      return found[0] / shape.fileShape[0];
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

// What the file says of itself.

function strideOf(metadata: ReadonlyMap<string, string>): ResNet50Settings['stride'] | undefined {
  const text = metadata.get('stride') ?? metadata.get('architecture') ?? '';
  if (/\bv1(\.5|_5|b)\b/i.test(text)) return 'v1.5';
  return /\bv1\b/i.test(text) ? 'v1' : undefined;
}

function epsilonOf(metadata: ReadonlyMap<string, string>, fail: (problem: string) => never): number | undefined {
  const text = metadata.get('bn_eps') ?? metadata.get('batch_norm_epsilon');
  if (text === undefined) return undefined;
  const value = Number(text);
  return value > 0 && value < 1
    ? value
    : fail(`its metadata give ${JSON.stringify(text.slice(0, 40))} for the batch norm's epsilon`);
}

/**
 * The convention in `input`, or in timm's and others' `mean` and `std`, which are for red, green and blue with white as
 * 1.
 */
function inputOf(metadata: ReadonlyMap<string, string>, fileName: string): InputConvention | undefined {
  const [mean, deviation] = [metadata.get('mean'), metadata.get('std')];
  const text =
    metadata.get('input') ??
    (mean !== undefined && deviation !== undefined
      ? `${metadata.get('channel_order') ?? 'RGB'}, 0..${metadata.get('white') ?? 1}, mean ${mean}, std ${deviation}`
      : undefined);
  if (text === undefined) return undefined;
  try {
    return parseInputConvention(text);
  } catch (error) {
    if (error instanceof InputConventionError)
      throw new InputConventionError(`${fileName}: ${error.message} (--input)`, { cause: error });
    throw error;
  }
}

/** Turns the first convolution's blue, green, red into red, green, blue, so that every model of ours is fed alike. */
function turnColours(state: Map<string, StateTensor>): void {
  const first = state.get('conv1.weight');
  if (first === undefined) return;
  const [outputs, colours, height, width] = first.shape;
  const plane = height * width;
  const values = new Float32Array(first.values.length);
  for (let output = 0; output < outputs; output++) {
    for (let colour = 0; colour < colours; colour++) {
      const from = (output * colours + colour) * plane;
      values.set(first.values.subarray(from, from + plane), (output * colours + colours - 1 - colour) * plane);
    }
  }
  state.set('conv1.weight', { shape: first.shape, values });
}
