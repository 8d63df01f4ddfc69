/** The icons of the search data: those that are installed, rendered. */
import { join } from 'node:path';
import type { Sample } from '../src/data/dataset.ts';
import { cacheFolder } from '../src/platform/node/cache-folder.ts';
import { ImageError } from '../src/platform/node/images.ts';
import { ICON_SETS } from './icon-artists.ts';
import { iconDigest, iconImage, iconRenderer } from './icon-drawings.ts';
import { findIconSets, readIconSet, type Icon } from './icon-sets.ts';
import { cachedPixels } from './pixel-cache.ts';
import { digest, type SearchDataOptions } from './search-options.ts';
import type { TrainingIcon } from './training-icons.ts';

interface IconSample {
  readonly sample: Sample;
  readonly icon: Icon;
}

/** The icons of the sets that are wanted and installed, by set. */
export async function installedIcons({
  sets: wanted,
  project = '.',
}: SearchDataOptions): Promise<Map<string, readonly Icon[]>> {
  const installed = await findIconSets(project);
  const sets = new Map<string, readonly Icon[]>();
  for (const { set } of ICON_SETS) {
    const files = installed.get(set);
    if (files !== undefined && (wanted === undefined || wanted.includes(set)))
      sets.set(set, (await readIconSet(files)).icons);
  }
  return sets;
}

/** An icon as a sample. */
export const sampleOf = ({ set, domain, noun, icon }: TrainingIcon): IconSample => ({
  sample: { domain, className: noun, name: `icons/${domain}/${set}:${icon.name}`, source: 'icons' },
  icon,
});

interface RenderedIcons {
  readonly samples: readonly Sample[];
  readonly read: ReadonlyMap<string, (size: number) => Promise<Uint8Array>>;
  readonly digests: ReadonlyMap<string, string>;
}

/** Icons as an index of icons has them, without those that draw nothing: one that needs another document, say. */
export async function renderedIcons(
  icons: readonly IconSample[],
  { size, cacheFolder: folder = cacheFolder(), onProgress }: SearchDataOptions,
): Promise<RenderedIcons> {
  const digests = new Map(icons.map(({ sample, icon }) => [sample.name, digest(iconDigest(icon))]));
  const bytesPerImage = 3 * size * size;
  const render = async ({ sample, icon }: IconSample, side: number): Promise<Uint8Array> => {
    try {
      return (await iconImage(icon, side, sample.name)).pixels;
    } catch (error) {
      if (error instanceof ImageError) return new Uint8Array(3 * side * side).fill(255);
      throw error;
    }
  };
  const pixels = await cachedPixels({
    path: join(
      folder,
      `search-${size}-${digest(JSON.stringify({ renderer: await iconRenderer(), digests: [...digests] })).slice(0, 12)}`,
    ),
    names: icons.map(({ sample }) => sample.name),
    bytesPerImage,
    render: (index) => render(icons[index], size),
    onProgress,
  });
  const at = (index: number): Uint8Array => pixels.subarray(index * bytesPerImage, (index + 1) * bytesPerImage);
  const shown = [...icons.keys()].filter((index) => at(index).some((value) => value !== 255));
  return {
    samples: shown.map((index) => icons[index].sample),
    read: new Map(
      shown.map((index) => [
        icons[index].sample.name,
        async (requested: number) => (requested === size ? at(index) : render(icons[index], requested)),
      ]),
    ),
    digests,
  };
}
