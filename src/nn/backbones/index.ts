/** The registry of backbones. To add one, write its file beside this one and a line in BACKBONES. */
import { ShapeError } from '../../autodiff/tensor.ts';
import type { Network } from '../layers.ts';
import { checkWidth, type Backbone, type BackboneDefinition, type BackboneShape } from './backbone.ts';
import { resnet } from './resnet.ts';
import { vgg } from './vgg.ts';

/** The registry of backbones, by the name that `--backbone` takes. */
export const BACKBONES = {
  resnet18: resnet({ title: 'ResNet18', block: 'basic', blocks: [2, 2, 2, 2] }),
  resnet34: resnet({ title: 'ResNet34', block: 'basic', blocks: [3, 4, 6, 3] }),
  resnet50: resnet({ title: 'ResNet50', block: 'bottleneck', blocks: [3, 4, 6, 3] }),
  resnet101: resnet({ title: 'ResNet101', block: 'bottleneck', blocks: [3, 4, 23, 3] }),
  resnet152: resnet({ title: 'ResNet152', block: 'bottleneck', blocks: [3, 8, 36, 3] }),
  vgg11_bn: vgg({ title: 'VGG11-BN', convolutions: [1, 1, 2, 2, 2] }),
} as const satisfies Readonly<Record<string, BackboneDefinition>>;

/** The name of a backbone of the registry. */
export type BackboneName = keyof typeof BACKBONES;

export const BACKBONE_NAMES = Object.keys(BACKBONES) as BackboneName[];
/** The backbone where none is named, as in files from before there was a choice. */
export const DEFAULT_BACKBONE: BackboneName = 'resnet50';

export interface BackboneSettings extends BackboneShape {
  /** Its name in the registry; `resnet50` if left out. */
  readonly backbone?: BackboneName;
}

/** The shape of torchvision's networks. */
export const DEFAULT_BACKBONE_SHAPE: BackboneShape = { width: 1, stride: 'v1.5' };

/** @throws ShapeError where the registry has no such backbone */
export function backboneDefinition(name: BackboneName = DEFAULT_BACKBONE): BackboneDefinition {
  if (!Object.hasOwn(BACKBONES, name))
    throw new ShapeError(`there is no backbone ${String(name)}; there are ${BACKBONE_NAMES.join(', ')}`);
  return BACKBONES[name];
}

/** Declares a backbone's layers in a network. @throws ShapeError for an unknown name, or a width of fractions of channels */
export function buildBackbone(
  network: Network,
  { backbone, width = DEFAULT_BACKBONE_SHAPE.width, stride = DEFAULT_BACKBONE_SHAPE.stride }: Partial<BackboneSettings>,
): Backbone {
  checkWidth(width);
  return backboneDefinition(backbone).build(network, { width, stride });
}
