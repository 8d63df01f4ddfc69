import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Dataset, Sample } from '../../src/data/dataset.ts';
import {
  evaluateNetwork,
  generalisedTask,
  labelsOf,
  photoTask,
  semPcycTask,
  taskOf,
  TASKS,
  unseenTask,
  type RetrievalTask,
} from '../../src/models/evaluation.ts';
import type { ImageRows } from '../../src/models/image-rows.ts';

const samples = (domain: Sample['domain'], className: string, count: number): Sample[] =>
  Array.from({ length: count }, (_, i) => ({ domain, className, name: `${domain}/${className}/${i}` }));
const dataset: Dataset = {
  name: 'test',
  seenClasses: ['owl', 'swan'],
  unseenClasses: ['bat', 'cow'],
  train: [
    ...samples('sketch', 'owl', 6),
    ...samples('photo', 'owl', 5),
    ...samples('sketch', 'swan', 6),
    ...samples('photo', 'swan', 4),
  ],
  validation: [],
  queries: [...samples('sketch', 'bat', 7), ...samples('sketch', 'cow', 5)],
  gallery: [...samples('photo', 'bat', 6), ...samples('photo', 'cow', 9)],
  images: { read: async () => new Uint8Array(0) },
};
/** Rows that tell a sample's class and domain; counts the images that it is asked for. */
function rows(): ImageRows & { asked: number } {
  const classes = [...dataset.unseenClasses, ...dataset.seenClasses];
  return {
    width: 4,
    asked: 0,
    async compute(list, _images, onProgress) {
      this.asked += list.length;
      onProgress?.(list.length);
      const result = new Float32Array(4 * list.length);
      list.forEach(({ className }, i) => (result[4 * i + classes.indexOf(className)] = 1));
      return result;
    },
    destroy: () => undefined,
  };
}

test('each task by its name', () => {
  const sizes = TASKS.map((kind) => {
    const { queries, gallery, classNames } = taskOf(kind, dataset, 0);
    return [queries.length, gallery.length, classNames.length];
  });
  assert.equal(sizes, [
    [12, 15, 2],
    [15, 15, 2],
    [12, 24, 4],
    [14, 18, 4],
  ]);
});

test('generalised: the photos of all classes, and sketches of unseen ones alone', () => {
  const { queries, gallery, classNames, name } = generalisedTask(dataset);
  assert.equal(queries, dataset.queries);
  assert.ok(gallery.every(({ domain }) => domain === 'photo'));
  assert.equal([...new Set(gallery.map(({ className }) => className))].sort(), [...classNames].sort());
  assert.match(name, 'generalised (all photos of seen classes');
});

test('as SEM-PCYC: a fifth of the unseen numbers of seen sketches and photos, drawn by the seed', () => {
  const task = semPcycTask(dataset, 1);
  const seen = (list: readonly Sample[]): Sample[] =>
    list.filter(({ className }) => dataset.seenClasses.includes(className));
  assert.is(seen(task.queries).length, 2);
  assert.is(seen(task.gallery).length, 3);
  assert.is(new Set(task.gallery).size, 18, 'nothing twice');
  assert.equal(semPcycTask(dataset, 1), task);
  assert.ok(
    [2, 3, 4].some(
      (seed) =>
        JSON.stringify(semPcycTask(dataset, seed)) !==
        JSON.stringify({ ...task, name: `test, generalised as SEM-PCYC (seed ${seed})` }),
    ),
  );
});

test('photo to photo: embedded once, nobody finds itself', async () => {
  const embeddings = rows();
  const heard: string[] = [];
  const { metrics, queries, gallery } = await evaluateNetwork(embeddings, photoTask(dataset), dataset.images, {
    cutoffs: [5, 20],
    onProgress: (done, total) => heard.push(`${done}/${total}`),
  });
  assert.is(embeddings.asked, 15);
  assert.is(queries, gallery);
  assert.equal(heard, ['15/15']);
  assert.is(metrics.mapAll, 1, 'all others of the class come first');
  assert.ok(Math.abs(metrics.atCutoff[1].precision - (6 * 5 + 9 * 8) / 15 / 14) < 1e-12, 'of the 14 that are left');
});

test('labels are places among the names; a class without a name has one of its own', () => {
  const task: RetrievalTask = {
    ...unseenTask(dataset),
    gallery: [...dataset.gallery, ...samples('photo', 'stranger', 1)],
  };
  const { queryLabels, galleryLabels, excluded } = labelsOf(task);
  assert.equal([queryLabels[0], queryLabels[11], galleryLabels[0], galleryLabels[15]], [0, 1, 0, 2]);
  assert.is(excluded, undefined);
});

test('nothing to search with is said', async () => {
  try {
    await evaluateNetwork(rows(), { ...unseenTask(dataset), queries: [] }, dataset.images);
  } catch (error) {
    return assert.match((error as Error).message, /there are 0 images to search with and 15 photos to search in/);
  }
  assert.unreachable();
});

test.run();
