/**
 * Augmentation of what images look like, in their bytes. A network is to tell things by their shape: photos lose or
 * change their colors, which sketches do not have, and images lose a part.
 *
 * Greyscale and channel permutation are as torchvision's RandomGrayscale and RandomChannelPermutation; erasing is after
 * Zhong et al., Random Erasing Data Augmentation, AAAI 2020, with white, which is paper.
 */
import { RandomStream, STREAM } from '../random/philox.ts';
import { DOMAIN_INDEX } from './dataset.ts';

/** Random changes of colors, and erased parts. */
export interface AppearanceAugmentation {
  /** The probability that a photo becomes gray or has its color channels permuted, one as often as the other. */
  readonly recolouring: number;
  /** The probability that a rectangle of an image becomes white. */
  readonly erasing: number;
}

/** The rectangle's share of an image's area: from LEAST_ERASED to LEAST_ERASED + ERASED_RANGE. */
const LEAST_ERASED = 0.05;
const ERASED_RANGE = 0.2;
/** The logarithm of width over height is uniform, this far to either side. */
const LOG_ASPECT = 0.8;
const WHITE = 255;
/** Luma of ITU-R BT.601. */
const LUMA = [0.299, 0.587, 0.114];

/**
 * Changes the images of a step's batch in place. Each depends on (seed, step, position in the batch) and on nothing
 * else.
 * @param images RGB u8, [N, size, size, 3]
 * @param domains DOMAIN_INDEX of each image, [N]
 */
export function changeAppearance(
  images: Uint8Array,
  domains: Uint32Array,
  { size, seed, step, recolouring, erasing }: AppearanceAugmentation & { size: number; seed: number; step: number },
): void {
  const bytes = 3 * size * size;
  domains.forEach((domain, position) => {
    const random = new RandomStream(seed, STREAM.appearance, [step, position]);
    const image = images.subarray(position * bytes, (position + 1) * bytes);
    if (domain === DOMAIN_INDEX.photo && random.uniform() < recolouring) recolour(image, random);
    if (random.uniform() < erasing) erase(image, size, random);
  });
}

function recolour(image: Uint8Array, random: RandomStream): void {
  if (random.uniform() < 0.5) {
    for (let i = 0; i < image.length; i += 3)
      image.fill(LUMA[0] * image[i] + LUMA[1] * image[i + 1] + LUMA[2] * image[i + 2], i, i + 3);
    return;
  }
  const [red, green, blue] = random.shuffle([0, 1, 2]);
  for (let i = 0; i < image.length; i += 3) {
    const pixel = [image[i], image[i + 1], image[i + 2]];
    image[i] = pixel[red];
    image[i + 1] = pixel[green];
    image[i + 2] = pixel[blue];
  }
}

function erase(image: Uint8Array, size: number, random: RandomStream): void {
  const area = (LEAST_ERASED + ERASED_RANGE * random.uniform()) * size * size;
  const aspect = Math.exp(LOG_ASPECT * (2 * random.uniform() - 1));
  const width = Math.min(size, Math.max(1, Math.round(Math.sqrt(area * aspect))));
  const height = Math.min(size, Math.max(1, Math.round(area / width)));
  const left = Math.floor(random.uniform() * (size - width + 1));
  const top = Math.floor(random.uniform() * (size - height + 1));
  for (let y = top; y < top + height; y++) image.fill(WHITE, 3 * (y * size + left), 3 * (y * size + left + width));
}
