/** The images of a folder of sketches and one of photos, by class folders and domain. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { classKey } from '../src/data/class-names.ts';
import { DatasetError, type Domain, type Sample } from '../src/data/dataset.ts';
import { IMAGE_EXTENSIONS } from '../src/platform/node/images.ts';
import { describeUnread, listFolders, listPictures, type SkippedEntry } from '../src/platform/node/picture-files.ts';

const DOMAINS: readonly Domain[] = ['sketch', 'photo'];

/** The folder of each domain, by its path from the root. */
export type DomainFolders = Readonly<Record<Domain, string>>;

/** The folders of people's own data. */
export const OWN_FOLDERS: DomainFolders = { sketch: 'sketch', photo: 'photo' };

/**
 * Lists the images.
 * @returns also the classes that have photos only, which may be searched where nothing is trained
 * @throws DatasetError where the folders do not make classes
 */
export async function findSamples(
  root: string,
  places: DomainFolders,
  onNotice: (notice: string) => void,
  trainable: boolean,
  pseudoSketches: boolean,
): Promise<{ readonly samples: Sample[]; readonly withoutSketch: readonly string[] }> {
  const layout = `${root} must hold ${places.sketch}/<class>/ and ${places.photo}/<class>/ with images in them`;
  const folders: Record<Domain, Map<string, string>> = { sketch: new Map(), photo: new Map() };
  for (const domain of DOMAINS) {
    if (pseudoSketches && domain === 'sketch' && !existsSync(join(root, places[domain]))) continue;
    for (const name of await subfolders(join(root, places[domain]), layout, onNotice)) {
      const other = folders[domain].get(classKey(name));
      if (other !== undefined)
        throw new DatasetError(
          `${join(root, places[domain])}: the folders "${other}" and "${name}" name one class; merge them or rename one`,
        );
      folders[domain].set(classKey(name), name);
    }
  }
  let withoutSketch: readonly string[] = [];
  for (const [domain, other] of [
    ['sketch', 'photo'],
    ['photo', 'sketch'],
  ] as const) {
    const lone = [...folders[domain].keys()]
      .filter((key) => !folders[other].has(key))
      .map((key) => folders[domain].get(key) as string);
    if (domain === 'photo' && pseudoSketches) continue;
    if (domain === 'photo' && !trainable) withoutSketch = lone;
    else if (lone.length > 0) {
      throw new DatasetError(
        `${join(root, places[domain])} has the classes ${lone.join(', ')}, which ${join(root, places[other])} lacks; add them there or remove them here${domain === 'photo' ? ', or let --pseudo-sketches draw sketches of the photos' : ''}`,
      );
    }
  }
  if (folders.photo.size === 0) throw new DatasetError(`no class was found: ${layout}`);

  const samples: Sample[] = [];
  for (const domain of DOMAINS) {
    for (const key of [...folders[domain].keys()].sort()) {
      const folder = join(root, places[domain], folders[domain].get(key) as string);
      const listing = await listPictures(folder, { deep: false }).catch((cause: Error) => {
        throw new DatasetError(`${folder} cannot be read: ${cause.message}`, { cause });
      });
      const files = listing.names;
      tellOfSkipped(listing.skipped, onNotice);
      const unread = describeUnread(listing, folder);
      if (unread !== undefined) onNotice(unread);
      if (files.length === 0) {
        throw new DatasetError(
          `${folder} has no image (${IMAGE_EXTENSIONS.join(', ')}); add one, or remove the class from ${places.sketch}/ and ${places.photo}/`,
        );
      }
      // The photo folder's spelling names the class.
      const className = folders.photo.get(key) as string;
      for (const file of files) samples.push({ domain, className, name: join(folder, file) });
    }
  }
  return { samples, withoutSketch };
}

function tellOfSkipped(skipped: readonly SkippedEntry[], onNotice: (notice: string) => void): void {
  for (const { path, reason } of skipped) onNotice(`skipped: ${path}: ${reason}`);
}

/** Links are followed: large data sets often live on another disk. */
async function subfolders(
  folder: string,
  layout: string,
  onNotice: (notice: string) => void,
): Promise<readonly string[]> {
  const { names, skipped } = await listFolders(folder).catch((cause: Error) => {
    throw new DatasetError(`${folder} cannot be read (${cause.message}): ${layout}`, { cause });
  });
  tellOfSkipped(skipped, onNotice);
  return names;
}
