import type { Dataset, ImageSource, Sample } from '../data/dataset.ts';
import { hex } from '../formats/sealed.ts';
import type { Json } from '../models/model-file.ts';

/** What identifies the training data, wherever it lies: counts, and digests over its samples' names and contents. */
export async function describeData({
  name,
  seenClasses,
  train,
  validation,
  images,
}: Dataset): Promise<{ readonly [name: string]: Json }> {
  const samples = [...train, ...validation];
  const contents = await contentsFingerprint(samples, images);
  return {
    name,
    classes: seenClasses.length,
    images: train.length,
    validationSketches: validation.length,
    fingerprint: await fingerprint(samples),
    ...(contents !== undefined && { contents }),
  };
}

/**
 * What identifies a list of samples, wherever their files lie: a digest over domain, class, last part of each name, and
 * source where there is one.
 */
export function fingerprint(samples: readonly Sample[]): Promise<string> {
  return digest(
    samples.map(
      ({ domain, className, name, source }) =>
        `${domain}/${className}/${name.split(/[\\/]/).at(-1)}${source === undefined ? '' : `\t${source}`}`,
    ),
  );
}

/** A digest over the contents of all pictures; undefined where their source does not know them. */
export async function contentsFingerprint(
  samples: readonly Sample[],
  images: ImageSource,
): Promise<string | undefined> {
  return images.identify && digest(await images.identify(samples));
}

async function digest(lines: readonly string[]): Promise<string> {
  return hex(
    new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(lines.join('\n')))).subarray(0, 8),
  );
}
