/**
 * A picture of embeddings: UMAP (McInnes, Healy and Melville, 2018; by umap-js) lays them out in the plane so that near
 * neighbors stay near. Classes have a color and their name, domains a shape, so that nothing hangs on color alone.
 */

import { UMAP } from 'umap-js';
import type { Domain } from '../../data/dataset.ts';
import { RandomStream } from '../../random/philox.ts';
import type { Evaluation, RetrievalTask } from '../../models/evaluation.ts';
import { escapeMarkup } from '../display/markup.ts';

export interface MapPoint {
  readonly className: string;
  readonly domain: Domain;
  /** Anywhere; the drawing fits what there is. */
  readonly x: number;
  readonly y: number;
}

export interface EmbeddingMap {
  readonly points: readonly MapPoint[];
  /** All classes; the drawn ones are a part of them. */
  readonly classes: number;
  readonly seed: number;
}

/** Images of one domain, embedded. */
export interface EmbeddedImages {
  /** [images, dimension]. */
  readonly rows: Float32Array;
  readonly samples: readonly { readonly className: string; readonly domain: Domain }[];
}

/** More classes could not be told apart, and more points would hide one another. */
const MOST_CLASSES = 24;
const MOST_POINTS = 1200;
const FEWEST_POINTS = 4;
/** Words of Philox for the layout alone. */
const STREAM = 0x756d6170;

/**
 * Lays out embeddings of sketches and photos in one plane: of up to 24 classes, spread over all in their order, as many
 * images of each class and domain as make 1200 in all. The same seed gives the same picture.
 * @returns undefined where there are too few images for a layout
 */
export function mapEmbeddings(
  images: readonly EmbeddedImages[],
  dimension: number,
  classNames: readonly string[],
  seed: number,
): EmbeddingMap | undefined {
  const count = Math.min(MOST_CLASSES, classNames.length);
  const drawn = Array.from({ length: count }, (_, i) => classNames[Math.floor((i * classNames.length) / count)]);
  const share = Math.max(2, Math.floor(MOST_POINTS / count / images.length));
  const chosen = images.flatMap(({ rows, samples }) =>
    drawn.flatMap((className) => {
      const ofClass = samples.flatMap((sample, index) => (sample.className === className ? [index] : []));
      const most = Math.min(share, ofClass.length);
      return Array.from({ length: most }, (_, i) => {
        const index = ofClass[Math.floor((i * ofClass.length) / most)];
        return { sample: samples[index], row: Array.from(rows.subarray(index * dimension, (index + 1) * dimension)) };
      });
    }),
  );
  if (chosen.length < FEWEST_POINTS) return undefined;
  const random = new RandomStream(seed, STREAM);
  const umap = new UMAP({
    nComponents: 2,
    nNeighbors: Math.min(15, chosen.length - 1),
    minDist: 0.25,
    random: () => random.uniform(),
  });
  const places = umap.fit(chosen.map(({ row }) => row));
  return {
    points: chosen.map(({ sample: { className, domain } }, i) => ({
      className,
      domain,
      x: places[i][0],
      y: places[i][1],
    })),
    classes: classNames.length,
    seed,
  };
}

/**
 * The map of what a task's queries search with and what they look for. Pictures of other classes in the gallery are
 * left out.
 */
export function mapTask(
  { queries, gallery, classNames }: RetrievalTask,
  embedded: Evaluation,
  seed: number,
): EmbeddingMap | undefined {
  const dimension = embedded.queries.length / queries.length;
  const searched = new Set(queries.map(({ className }) => className));
  const images = [
    { rows: embedded.gallery, samples: gallery },
    ...(queries === gallery ? [] : [{ rows: embedded.queries, samples: queries }]),
  ];
  return mapEmbeddings(
    images,
    dimension,
    classNames.filter((className) => searched.has(className)),
    seed,
  );
}

const WIDTH = 960;
const HEIGHT = 640;
const MARGIN = 24;
/** After Okabe and Ito's, which people tell apart whatever their sense of color; report-assets.ts has them. */
const COLOURS = 6;

/** The drawing, as SVG that takes its colors from the page. */
export function drawMap({ points }: EmbeddingMap): string {
  const extent = (values: readonly number[]): [number, number] =>
    values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  const [left, right] = extent(points.map(({ x }) => x));
  const [top, bottom] = extent(points.map(({ y }) => y));
  // One scale for both axes: only distances mean something.
  const scale = Math.min((WIDTH - 2 * MARGIN) / (right - left || 1), (HEIGHT - 2 * MARGIN) / (bottom - top || 1));
  const place = ({ x, y }: MapPoint): [number, number] => [
    WIDTH / 2 + scale * (x - (left + right) / 2),
    HEIGHT / 2 + scale * (y - (top + bottom) / 2),
  ];

  const classNames = [...new Set(points.map(({ className }) => className))];
  const groups = classNames.map((className, index) => {
    const of = (domain: Domain): [number, number][] =>
      points.filter((point) => point.className === className && point.domain === domain).map(place);
    const photos = of('photo');
    const sketches = of('sketch');
    const name = escapeMarkup(className);
    return {
      className,
      anchor: middle([...photos, ...sketches]),
      marks: `<g data-class="${index}" style="--mark:var(--map-${(index % COLOURS) + 1})"><title>${name}: ${sketches.length} sketches, ${photos.length} photos</title><path class="photo" d="${photos.map(dot).join('')}"/><path class="drawn" d="${sketches.map(triangle).join('')}"/></g>`,
    };
  });
  const labels = apart(groups).map(
    ({ className, anchor: [x, y] }, index) =>
      `<text data-class="${index}" x="${fixed(x)}" y="${fixed(y)}">${escapeMarkup(className)}</text>`,
  );
  const description = `A map of the embeddings of ${classNames.length} classes`;
  return `<svg class="map" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${description}">${groups.map(({ marks }) => marks).join('')}<g class="names">${labels.join('')}</g></svg>`;
}

const fixed = (value: number): string => value.toFixed(1);
const dot = ([x, y]: [number, number]): string => `M${fixed(x - 3)} ${fixed(y)}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z`;
const triangle = ([x, y]: [number, number]): string => `M${fixed(x)} ${fixed(y - 4.4)}l4.2 7.2h-8.4z`;

/**
 * The image of a class nearest to its median, so that a name is placed on one of its images even if these are far apart.
 */
function middle(places: readonly (readonly [number, number])[]): readonly [number, number] {
  const median = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const center = [0, 1].map((axis) => median(places.map((place) => place[axis])));
  const distance = ([x, y]: readonly [number, number]): number => Math.hypot(x - center[0], y - center[1]);
  return places.reduce((best, place) => (distance(place) < distance(best) ? place : best));
}

interface Label {
  readonly className: string;
  readonly anchor: readonly [number, number];
}

/** Moves names down, from the uppermost to the lowest, until none lies on another. */
function apart(labels: readonly Label[]): Label[] {
  const LINE = 15;
  const LETTER = 7;
  const placed: Label[] = [];
  // Rounding may leave a name that was moved by a line a little less than a line away.
  const ROUNDING = 1e-6;
  const overlap = (a: Label, b: Label): boolean =>
    Math.abs(a.anchor[1] - b.anchor[1]) < LINE - ROUNDING &&
    Math.abs(a.anchor[0] - b.anchor[0]) < (LETTER * (a.className.length + b.className.length)) / 2;
  for (const label of [...labels].sort((a, b) => a.anchor[1] - b.anchor[1])) {
    let moved = label;
    for (
      let hit = placed.find((other) => overlap(moved, other));
      hit !== undefined;
      hit = placed.find((other) => overlap(moved, other))
    ) {
      moved = { ...moved, anchor: [moved.anchor[0], hit.anchor[1] + LINE] };
    }
    placed.push(moved);
  }
  return labels.map(({ className }) => placed.find((label) => label.className === className)!);
}
