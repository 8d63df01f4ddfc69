/**
 * What the shipped search model is trained on: emoji, icons and people's drawings, put together by noun. Nothing that
 * names an unseen class of the emoji data set is in it (held-out.ts); queries and gallery are that data set's own.
 */
import { checkDataset, DatasetError, type Dataset, type ImageDraw, type Sample } from '../src/data/dataset.ts';
import { loadEmoji } from './emoji.ts';
import { heldOutClass } from './held-out.ts';
import { nounOf } from './nouns.ts';
import { installedIcons, renderedIcons, sampleOf } from './search-icons.ts';
import { digest, SEARCH_SOURCES, type SearchDataOptions, type SearchSource } from './search-options.ts';
import { drawingsOf, simulatedSketches, withSeveralPictures } from './search-sketches.ts';
import { EDGE_SIDE, SketchDrawer } from './simulated-sketches.ts';
import { mainNoun, trainingIcons } from './training-icons.ts';

export { SEARCH_SOURCES, type SearchDataOptions, type SearchSource };

const SEED = 0;

/**
 * @throws DatasetError where the size is out of range, no icon set is installed, the folder holds no drawings, or the
 *   sources have no class with both a sketch and a picture
 */
export async function loadSearchData(options: SearchDataOptions): Promise<Dataset> {
  const { size, measureOn = 'unseen', sources = SEARCH_SOURCES, picturesOnly = false } = options;
  const uses = (source: SearchSource): boolean => sources.includes(source);
  if (picturesOnly && (!uses('simulated') || options.drawings !== undefined))
    throw new DatasetError('search: of pictures only there are no drawings, and sketches have to be simulated');
  if (options.sources !== undefined && uses('drawings') && options.drawings === undefined)
    throw new DatasetError(
      "search: the source drawings needs the folder of QuickDraw's simplified drawings, --quickdraw DIR",
    );
  const emoji = await loadEmoji({ size, measureOn, cacheFolder: options.cacheFolder });
  // While settings are chosen, classes set aside for that are as unseen as the unseen ones.
  const setAside = new Set(
    measureOn === 'settings' ? emoji.unseenClasses.flatMap((name) => [nounOf(name), mainNoun(nounOf(name))]) : [],
  );
  const isSeen = (name: string): boolean => heldOutClass(name) === undefined && !setAside.has(nounOf(name));
  const seenEmoji = (samples: readonly Sample[]): Sample[] =>
    samples
      .filter(({ className }) => isSeen(className))
      .map((sample) => ({ ...sample, className: mainNoun(nounOf(sample.className)), source: 'emoji' }));

  const fromEmoji = uses('emoji') ? seenEmoji(emoji.train) : [];
  const icons = uses('icons')
    ? trainingIcons(await installedIcons(options), {
        mostPerDomain: options.iconsPerDomain ?? 24,
        seed: SEED,
        heldOut: heldOutClass,
      })
    : [];
  if (uses('icons') && icons.length === 0)
    throw new DatasetError(
      'search: no icon set is installed; npm install --no-save @iconify/json installs all of them',
    );
  const rendered = await renderedIcons(icons.map(sampleOf), options);
  const drawings =
    options.drawings === undefined || !uses('drawings') ? [] : await drawingsOf(options.drawings, options);

  const images = new Map<string, (size: number, draw?: ImageDraw) => Promise<Uint8Array>>(rendered.read);
  for (const sample of [...emoji.train, ...emoji.validation, ...emoji.queries, ...emoji.gallery])
    images.set(sample.name, (requested) => emoji.images.read(sample, requested));
  const photosOf = (samples: readonly Sample[]): Sample[] => samples.filter(({ domain }) => domain === 'photo');
  const photos = [...photosOf(fromEmoji), ...photosOf(rendered.samples)];
  const readEdges = (sample: Sample): Promise<Uint8Array> =>
    (images.get(sample.name) as (size: number) => Promise<Uint8Array>)(EDGE_SIDE);
  const simulated = uses('simulated')
    ? [
        ...(await simulatedSketches(photosOf(fromEmoji), readEdges, options)),
        ...(await simulatedSketches(photosOf(rendered.samples), readEdges, options)),
      ]
    : [];
  const drawn = [...drawings, ...withSeveralPictures(simulated, photos)];
  const drawer = new SketchDrawer();
  for (const sketch of drawn) images.set(sketch.sample.name, (requested, draw) => drawer.draw(sketch, requested, draw));

  // The icons are rendered whatever is set aside, so that both ways share what is kept on disk.
  const samples = [
    ...(picturesOnly ? photos : [...fromEmoji, ...rendered.samples]),
    ...drawn.map(({ sample }) => sample),
  ].filter(({ className }) => !setAside.has(className));
  const classes = classesOfBothDomains(samples);
  if (classes.size === 0)
    throw new DatasetError(
      `search: no class has both a sketch and a picture in the sources ${sources.join(', ')}; name more of them`,
    );
  const digests = new Map([
    ...rendered.digests,
    ...drawn.map(({ sample, strokes }): [string, string] => [sample.name, digest(strokes)]),
  ]);
  return checkDataset({
    name: 'search',
    seenClasses: [...classes].sort(),
    unseenClasses: emoji.unseenClasses,
    train: samples.filter(({ className }) => classes.has(className)),
    validation: seenEmoji(emoji.validation).filter(({ className }) => classes.has(className)),
    queries: emoji.queries,
    gallery: emoji.gallery,
    images: {
      async read(sample, requested, draw) {
        const read = images.get(sample.name);
        if (read === undefined) throw new DatasetError(`search: there is no image ${sample.name}`);
        return read(requested, draw);
      },
      async identify(asked) {
        const ofEmoji = asked.filter(({ name }) => !digests.has(name));
        const found = (await emoji.images.identify?.(ofEmoji)) ?? [];
        const identities = new Map([
          ...digests,
          ...ofEmoji.map(({ name }, index): [string, string] => [name, found[index]]),
        ]);
        return asked.map(({ name }) => identities.get(name) as string);
      },
    },
  });
}

function classesOfBothDomains(samples: readonly Sample[]): Set<string> {
  const of = (domain: Sample['domain']): Set<string> =>
    new Set(samples.filter((sample) => sample.domain === domain).map(({ className }) => className));
  const photos = of('photo');
  return new Set([...of('sketch')].filter((className) => photos.has(className)));
}
