/** Images of one class and domain that come from several sources, such as data sets that were put together. */
import type { RandomStream } from '../random/philox.ts';
import { DatasetError, type Sample } from './dataset.ts';

/**
 * How often a source is drawn from, relative to the others; 1 for a source that is left out, and 0 for one that is not
 * used.
 */
export type SourceWeights = Readonly<Record<string, number>>;

/** The images of one source, and its weight above 0. */
export interface Source {
  readonly weight: number;
  readonly samples: readonly Sample[];
}

/** Samples that name no source count as one, of this name. */
const UNNAMED = '';

/**
 * The sources of some samples, in the order in which they first occur.
 * @param where for the error
 * @throws DatasetError where the weight of every source is 0
 */
export function sourcesOf(samples: readonly Sample[], weights: SourceWeights, where: string): Source[] {
  const bySource = new Map<string, Sample[]>();
  for (const sample of samples) {
    const name = sample.source ?? UNNAMED;
    if (!bySource.has(name)) bySource.set(name, []);
    bySource.get(name)?.push(sample);
  }
  const sources = [...bySource]
    .map(([name, own]) => ({ weight: weightOf(weights, name), samples: own }))
    .filter(({ weight }) => weight > 0);
  if (sources.length === 0)
    throw new DatasetError(
      `${where}: all images come from sources of weight 0 (${[...bySource.keys()].join(', ')}); give one of them a weight, or remove the class`,
    );
  return sources;
}

/**
 * Draws images: each time a source by its weight, among those that have an image left, and then an image of it. No
 * image comes twice before all of them were drawn once.
 */
export function drawFrom(sources: readonly Source[], count: number, random: RandomStream): Sample[] {
  const orders = sources.map(({ samples }) => random.shuffle([...samples]));
  // Without a choice to make, no random number is used for it.
  if (orders.length === 1) return Array.from({ length: count }, (_, index) => orders[0][index % orders[0].length]);
  const drawn: Sample[] = [];
  let taken = sources.map(() => 0);
  while (drawn.length < count) {
    if (taken.every((number, source) => number === orders[source].length)) taken = sources.map(() => 0);
    const source = chosen(
      sources.map(({ weight }, index) => (taken[index] < orders[index].length ? weight : 0)),
      random,
    );
    drawn.push(orders[source][taken[source]++]);
  }
  return drawn;
}

/** An index with a probability in proportion to its weight. @param weights not all 0 */
function chosen(weights: readonly number[], random: RandomStream): number {
  let place = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    if (place < weight) return index;
    place -= weight;
  }
  // By rounding, nothing of the sum was left for the last one.
  return weights.findLastIndex((weight) => weight > 0);
}

/** @throws DatasetError where a weight is none, or its source has no sample */
export function requireKnownSources(name: string, samples: readonly Sample[], weights: SourceWeights): void {
  const known = new Set(samples.map(({ source = UNNAMED }) => source));
  for (const [source, weight] of Object.entries(weights)) {
    if (!Number.isFinite(weight) || weight < 0)
      throw new DatasetError(
        `${name}: the weight of the source ${source} must be a finite number of at least 0, and it is ${weight}`,
      );
    if (!known.has(source))
      throw new DatasetError(
        `${name}: no image to train on is of the source ${source}, which has a weight; the sources are ${[...known].map((one) => one || 'unnamed').join(', ')}`,
      );
  }
}

const weightOf = (weights: SourceWeights, source: string): number =>
  Object.hasOwn(weights, source) ? weights[source] : 1;
