/** Options of the augmentation of images. */
import { WHITE } from '../../../data/augmentation.ts';
import { IMAGENET_PIXELS } from '../../../nn/pixels.ts';
import { choice, number } from '../kinds.ts';
import { setting } from '../setting.ts';

const PHOTO_FILLS = {
  white: WHITE,
  black: [0, 0, 0],
  mean: IMAGENET_PIXELS.mean.map((value) => Math.round(255 * value)) as [number, number, number],
} as const;

export const AUGMENTATION_OPTIONS = {
  augmentation: setting(
    'augmentation.probability',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Share of the images that are augmented (mirrored, scaled, rotated, shifted)',
    }),
  ),
  augmentationParts: setting(
    'augmentation.partProbability',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Probability of each of the four, if an image is augmented',
    }),
  ),
  augmentationRecolouring: setting(
    'appearance',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: 'Probability that a photo becomes grey or has its colour channels permuted',
    }),
    (recolouring, { augmentationErasing: erasing }: { readonly augmentationErasing: number }) =>
      recolouring > 0 || erasing > 0 ? { recolouring, erasing } : undefined,
  ),
  augmentationErasing: number({
    minimum: 0,
    maximum: 1,
    default: 0,
    help: 'Probability that a rectangle of an image becomes white',
  }),
  augmentationScale: setting(
    'augmentation.scale',
    number({
      minimum: 0,
      maximum: 0.9,
      default: 0.3,
      help: 'Each axis is scaled by a factor from 1 - this to 1 + this',
    }),
    (most) => [1 - most, 1 + most],
  ),
  augmentationRotation: setting(
    'augmentation.degrees',
    number({
      minimum: 0,
      maximum: 180,
      help: 'Maximum rotation in degrees, in either direction',
    }),
  ),
  augmentationShift: setting(
    'augmentation.shift',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Maximum shift, as a share of the side; the default is 10 of 224 pixels',
    }),
  ),
  photoFill: setting(
    'augmentation.photoFill',
    choice(['white', 'black', 'mean'], {
      default: 'white',
      help: "Background of an augmented photo: white, as for sketches, or ImageNet's mean",
    }),
    (colour) => PHOTO_FILLS[colour],
  ),
} as const;
