/**
 * How the pixels of an image become the numbers that a network was trained on. Three conventions are common:
 * torchvision's and timm's (red first, white as 1, ImageNet's mean and deviation), Caffe's (blue first, white as 255,
 * the mean alone taken off) and TensorFlow's (red first, -1 to 1). A network fed by another convention than its own
 * still answers, and answers badly.
 */
import { BoundedError } from '../formats/untrusted.ts';

/** Red, green, blue, or in the order that is stated beside. */
export type Color = readonly [number, number, number];

/** Mean and deviation of red, green and blue, with white as 1: the network gets (value - mean) / deviation. */
export interface PixelNormalization {
  readonly mean: Color;
  readonly deviation: Color;
}

/** The statistics of ImageNet's photos, which pretrained networks expect. */
export const IMAGENET_PIXELS: PixelNormalization = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

/** A convention as its own users write it: colors in its order, in units in which white is `white`. */
export interface InputConvention {
  readonly order: 'RGB' | 'BGR';
  readonly white: 1 | 255;
  readonly mean: Color;
  readonly deviation: Color;
}

/** A text that does not say how pixels become numbers. The message shows how to say it. */
export class InputConventionError extends BoundedError {
  override readonly name = 'InputConventionError';
}

/** Conventions that have a name. */
export const INPUT_CONVENTIONS: Readonly<Record<string, InputConvention>> = {
  imagenet: { order: 'RGB', white: 1, ...IMAGENET_PIXELS },
  caffe: { order: 'BGR', white: 255, mean: [103.939, 116.779, 123.68], deviation: [1, 1, 1] },
  half: { order: 'RGB', white: 1, mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
};

/** What `convention` means for red, green and blue with white as 1. */
export function pixelNormalization({ order, white, mean, deviation }: InputConvention): PixelNormalization {
  const inUnits = (color: Color): Color => {
    const [red, green, blue] = order === 'RGB' ? color : ([color[2], color[1], color[0]] as const);
    return [red / white, green / white, blue / white];
  };
  return { mean: inUnits(mean), deviation: inUnits(deviation) };
}

/** The convention in one line, which `parseInputConvention` reads again without loss. */
export function describeInputConvention({ order, white, mean, deviation }: InputConvention): string {
  return `${order}, 0..${white}, mean ${mean.join(' ')}, std ${deviation.join(' ')}`;
}

/**
 * Reads a convention: a name out of INPUT_CONVENTIONS, or words such as "BGR, 0..255, mean 103.939 116.779 123.68, std
 * 1". The order of the colors, the range, the mean and the deviation must all be said; mean and deviation have one
 * number or three.
 * @throws InputConventionError that names what is missing
 */
export function parseInputConvention(text: string): InputConvention {
  const named = INPUT_CONVENTIONS[text.trim().toLowerCase()];
  if (Object.hasOwn(INPUT_CONVENTIONS, text.trim().toLowerCase())) return named;
  const fail = (problem: string): never => {
    throw new InputConventionError(
      `the input convention ${JSON.stringify(text.slice(0, 200))} ${problem}; say it as ${Object.keys(INPUT_CONVENTIONS).join(', ')} or as in "${describeInputConvention(INPUT_CONVENTIONS.caffe)}"`,
    );
  };
  const orders = [...new Set(text.toUpperCase().match(/\b(RGB|BGR)\b/g))];
  if (orders.length !== 1) fail(`names ${orders.length === 0 ? 'neither RGB nor BGR' : 'both RGB and BGR'}`);
  const range = /\b0(?:\.0)?\s*(?:\.\.|-|to)\s*(255|1)(?:\.0)?\b/i.exec(text);
  if (range === null) return fail('names no range, which is 0..1 or 0..255');
  const numbersAfter = (what: string, pattern: RegExp): Color => {
    const words = pattern.exec(text)?.[1];
    if (words === undefined) return fail(`names no ${what}`);
    const numbers = words.match(NUMBER)?.map(Number) ?? [];
    if (numbers.length === 1) return [numbers[0], numbers[0], numbers[0]];
    if (numbers.length !== 3)
      return fail(`has ${numbers.length} numbers for the ${what}, where one or three are needed`);
    return [numbers[0], numbers[1], numbers[2]];
  };
  const mean = numbersAfter('mean', /\bmeans?\b([-+.,\deE\s()[\]=:]*)/i);
  const deviation = numbersAfter('standard deviation (std)', /\b(?:std|deviation)s?\b([-+.,\deE\s()[\]=:]*)/i);
  if (deviation.some((value) => !(value > 0))) fail('has a standard deviation that is not above zero');
  return { order: orders[0] as 'RGB' | 'BGR', white: range[1] === '1' ? 1 : 255, mean, deviation };
}

const NUMBER = /[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/gi;
