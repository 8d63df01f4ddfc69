/** What a file of others says of itself in its metadata. */
import type { BackboneShape } from './backbones/backbone.ts';
import { InputConventionError, parseInputConvention, type InputConvention } from './pixels.ts';

/** Where the strides of bottleneck blocks are; undefined where the file does not say it. */
export function strideOf(metadata: ReadonlyMap<string, string>): BackboneShape['stride'] | undefined {
  const text = metadata.get('stride') ?? metadata.get('architecture') ?? '';
  if (/\bv1(\.5|_5|b)\b/i.test(text)) return 'v1.5';
  return /\bv1\b/i.test(text) ? 'v1' : undefined;
}

/** What batch normalization adds to the variance; undefined where the file does not say it. */
export function epsilonOf(metadata: ReadonlyMap<string, string>, fail: (problem: string) => never): number | undefined {
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
export function inputOf(metadata: ReadonlyMap<string, string>, fileName: string): InputConvention | undefined {
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
