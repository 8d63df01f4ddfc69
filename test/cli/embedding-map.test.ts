import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { drawMap, mapEmbeddings, mapTask } from '../../src/cli/report/embedding-map.ts';
import type { Sample } from '../../src/data/dataset.ts';
import { RandomStream } from '../../src/random/philox.ts';

const DIMENSION = 16;
/** Clusters of unit length, one a class; sketches a little beside the photos. */
function images(
  domain: Sample['domain'],
  classNames: readonly string[],
  each: number,
): { readonly rows: Float32Array; readonly samples: readonly Sample[] } {
  const random = new RandomStream(domain === 'photo' ? 1 : 2, 0);
  const samples = classNames.flatMap((className) =>
    Array.from({ length: each }, (_, i): Sample => ({ className, domain, name: `${domain}/${className}/${i}` })),
  );
  const rows = Float32Array.from({ length: samples.length * DIMENSION }, (_, at) => {
    const label = classNames.indexOf(samples[Math.floor(at / DIMENSION)].className);
    return Number(at % DIMENSION === label % DIMENSION) + 0.08 * random.normal();
  });
  return { rows, samples };
}
const classNames = ['swan', 'owl', 'a <b> & c', 'teapot'];
const both = [images('photo', classNames, 12), images('sketch', classNames, 8)];
const map = mapEmbeddings(both, DIMENSION, classNames, 1)!;

test('the same seed gives the same layout, another seed another', () => {
  assert.equal(mapEmbeddings(both, DIMENSION, classNames, 1), map);
  assert.not.equal(mapEmbeddings(both, DIMENSION, classNames, 2)!.points, map.points);
  assert.is(map.points.length, 80);
  assert.ok(map.points.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)));
});

test('what is near in the embedding is near in the map', () => {
  const { points } = map;
  const own = points.filter((point) => {
    const nearest = points
      .filter((other) => other !== point)
      .reduce((a, b) => (Math.hypot(a.x - point.x, a.y - point.y) < Math.hypot(b.x - point.x, b.y - point.y) ? a : b));
    return nearest.className === point.className;
  });
  assert.ok(own.length >= 0.95 * points.length, `${own.length} of ${points.length} lie beside one of their class`);
});

test('of many classes and images some are drawn, spread over all', () => {
  const names = Array.from({ length: 60 }, (_, i) => `class ${i}`);
  const { points, classes } = mapEmbeddings([images('photo', names, 9)], DIMENSION, names, 0)!;
  const drawn = new Set(points.map(({ className }) => className));
  assert.is(classes, 60);
  assert.is(drawn.size, 24);
  assert.ok(drawn.has('class 0') && drawn.has('class 57'));
  assert.is(points.length, 24 * 9);
});

test('the drawing: a group for each class, domains by shape, names apart and escaped', () => {
  const svg = drawMap(map);
  assert.is([...svg.matchAll(/<g data-class=/g)].length, 4);
  assert.match(svg, '<title>swan: 8 sketches, 12 photos</title>');
  assert.match(svg, 'a &lt;b&gt; &amp; c');
  assert.not.match(svg, '<b>');
  assert.is([...svg.matchAll(/a3 3 0 1 0 6 0/g)].length, 48, 'a dot for each photo');
  assert.is([...svg.matchAll(/l4\.2 7\.2h-8\.4z/g)].length, 32, 'a triangle for each sketch');
  assert.not.match(svg, /NaN|Infinity|undefined/);

  const stacked = drawMap({
    classes: 3,
    seed: 0,
    points: classNames.slice(0, 3).map((className) => ({ className, domain: 'photo', x: 1, y: 1 })),
  });
  const heights = [...stacked.matchAll(/<text [^>]*y="([\d.]+)"/g)].map(([, y]) => Number(y)).sort((a, b) => a - b);
  assert.ok(heights[1] - heights[0] >= 15 && heights[2] - heights[1] >= 15);
});

test('names of one place are moved apart wherever it lies, though rounding makes a line a little less', () => {
  for (let step = 0; step < 200; step++) {
    // Two classes in one place between two others, which the drawing stretches to its edges.
    const height = Math.sqrt(step / 200);
    const places = [0, 1, height, height];
    const svg = drawMap({
      classes: 4,
      seed: 0,
      points: places.map((y, index) => ({ className: classNames[index], domain: 'photo', x: 0, y })),
    });
    assert.is([...svg.matchAll(/<text /g)].length, 4);
  }
});

test('a task: its queries and the pictures of their classes; too few have no map', () => {
  const [photos, sketches] = both;
  const embedded = {
    queries: sketches.rows,
    gallery: photos.rows,
    metrics: undefined as never,
    labels: { queryLabels: [], galleryLabels: [] },
  };
  const task = {
    name: 'test',
    queries: sketches.samples.filter(({ className }) => className !== 'owl'),
    gallery: photos.samples,
    classNames,
  };
  const { points } = mapTask(task, { ...embedded, queries: sketches.rows.subarray(0, 24 * DIMENSION) }, 0)!;
  assert.not.ok(points.some(({ className }) => className === 'owl'));
  const among = mapTask({ ...task, queries: photos.samples }, { ...embedded, queries: photos.rows }, 0)!;
  assert.is(among.points.length, 48, 'photos that search one another are drawn once');
  assert.is(mapEmbeddings([images('photo', ['swan'], 2)], DIMENSION, ['swan'], 0), undefined);
});

test.run();
