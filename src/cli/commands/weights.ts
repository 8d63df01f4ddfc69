import { describeInputConvention, IMAGENET_PIXELS, INPUT_CONVENTIONS } from '../../nn/pixels.ts';
import { backboneDefinition, buildBackbone, DEFAULT_BACKBONE_SHAPE } from '../../nn/backbones/index.ts';
import { DEFAULT_NETWORK_SETTINGS, Network } from '../../nn/layers.ts';
import { describeInitial, nonFiniteTensors } from '../../nn/state.ts';
import { pixelsIn } from '../../models/retrieval-model.ts';
import type { StartingWeights } from '../../training/weights.ts';
import { defineCommand } from '../command.ts';
import { JSON_OPTION, SHARED_OPTIONS } from '../options/shared.ts';
import { readWeightsFile } from '../files/model-file.ts';
import { WEIGHTS_OPTIONS } from '../options/model.ts';
import { NETWORK_OPTIONS } from '../options/training/network.ts';
import { printText } from '../display/progress.ts';
import { groupNames } from '../display/weights-report.ts';

export const WEIGHTS_COMMAND_OPTIONS = {
  backbone: {
    ...NETWORK_OPTIONS.backbone,
    default: undefined,
    help: 'The backbone of a file from another library. Default: resnet50, or the backbone that is complete in the file',
  },
  ...WEIGHTS_OPTIONS,
  json: JSON_OPTION,
  debug: SHARED_OPTIONS.debug,
} as const;

export const weightsCommand = defineCommand({
  name: 'weights',
  summary: 'Show what a file of weights holds, and how a training would use it',
  options: WEIGHTS_COMMAND_OPTIONS,
  positionals: { name: 'file', help: 'Weights (.safetensors, .pth, .pt, .bin)' },
  async run({ json, ...options }, { positionals: files }) {
    for (const file of files) {
      const weights = await readWeightsFile(file, 'weights', options);
      printText(
        json
          ? `${JSON.stringify({ file, ...summaryOf(weights, file) }, null, 1)}\n`
          : `${describeFile(weights, file)}\n`,
      );
    }
  },
});

/** What a training takes from the file, and what it draws. */
function summaryOf({ file, pretrained }: StartingWeights, name: string) {
  const pixels = pixelsIn(file.about, name);
  if (pretrained === undefined)
    return {
      format: 'sketchgrad',
      kind: file.about.kind ?? null,
      about: file.about,
      checksum: file.checksum,
      tensors: [...file.state].map(([tensor, { shape }]) => ({ name: tensor, shape })),
    };
  const { backbone, state, absent, unused, format, prefix, names, width, stride, batchNormEpsilon, input } = pretrained;
  const network = new Network();
  buildBackbone(network, { backbone, width });
  return {
    format,
    backbone,
    names,
    nonFinite: nonFiniteTensors(state),
    checksum: file.checksum,
    prefix,
    width,
    stride: stride ?? null,
    batchNormEpsilon: batchNormEpsilon ?? null,
    input: input ?? null,
    pixels: pixels ?? IMAGENET_PIXELS,
    classifier: state.get('fc.weight')?.shape ?? null,
    loaded: [...state].map(([tensor, { shape }]) => ({ name: tensor, shape })),
    absent: absent.map((tensor) => ({
      name: tensor,
      shape: network.layouts.get(tensor)?.fileShape ?? [],
      initialised: describeInitial(network, tensor),
    })),
    unused,
  };
}

function describeFile(weights: StartingWeights, name: string): string {
  const { file, pretrained } = weights;
  if (pretrained === undefined) {
    const { kind, imageSize, classes } = file.about;
    const facts = [
      typeof imageSize === 'number' && `images of ${imageSize} px`,
      Array.isArray(classes) && `${classes.length} classes`,
    ].filter(Boolean);
    return [
      `${name}: a model of sketchgrad's (${typeof kind === 'string' ? kind : 'weights alone'}), ${file.state.size} tensors`,
      `  checksum     ${file.checksum}`,
      ...(facts.length > 0 ? [`  trained on   ${facts.join(', ')}`] : []),
    ].join('\n');
  }
  const { backbone, state, absent, unused, format, prefix, names, width, stride, batchNormEpsilon, input } = pretrained;
  const network = new Network();
  buildBackbone(network, { backbone, width });
  const byDefault = (value: string): string => `${value} (the file does not say; assumed)`;
  const classifier = state.get('fc.weight')?.shape;
  const nonFinite = nonFiniteTensors(state);
  return [
    `${name}: ${backboneDefinition(backbone).title}, ${format}`,
    `  names        ${names}${prefix === '' ? '' : `, after ${JSON.stringify(prefix)}`}`,
    `  channels     ${width === 1 ? "the paper's" : `${width} times the paper's`}`,
    `  strides      ${stride ?? byDefault(DEFAULT_BACKBONE_SHAPE.stride)}`,
    `  epsilon      ${batchNormEpsilon ?? byDefault(String(DEFAULT_NETWORK_SETTINGS.batchNormEpsilon))}`,
    `  input        ${input === undefined ? byDefault(describeInputConvention(INPUT_CONVENTIONS.imagenet)) : describeInputConvention(input)}`,
    `  classifier   ${classifier === undefined ? 'none, so there is no teacher' : `${classifier[0]} classes on ${classifier[1]} features`}`,
    `  loaded       ${state.size} tensors`,
    ...(nonFinite.length > 0
      ? [
          `  not finite   ${nonFinite.length} tensors hold a NaN or an infinity:`,
          ...groupNames(nonFinite).map((tensor) => `    ${tensor}`),
        ]
      : []),
    `  absent       ${absent.length === 0 ? 'none' : `${absent.length} tensors, which a training draws:`}`,
    ...absent.map(
      (tensor) =>
        `    ${tensor} [${network.layouts.get(tensor)?.fileShape.join(', ')}], ${describeInitial(network, tensor)}`,
    ),
    ...(unused.some((tensor) => tensor.endsWith('running_var'))
      ? [
          '    A batch norm after an absent convolution begins anew as well: what the file has of it is of what is gone.',
        ]
      : []),
    `  not used     ${unused.length === 0 ? 'none' : `${unused.length} tensors:`}`,
    ...groupNames(unused).map((tensor) => `    ${tensor}`),
  ].join('\n');
}
