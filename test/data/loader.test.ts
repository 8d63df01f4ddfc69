import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { identityTransforms } from '../../src/data/augmentation.ts';
import type { ImageSource, Sample } from '../../src/data/dataset.ts';
import { batches, inOrder, type BatchOptions } from '../../src/data/loader.ts';
import { shuffledSampler } from '../../src/data/sampler.ts';

const SIZE = 2;
const BYTES = SIZE * SIZE * 3;
const samples: Sample[] = Array.from({ length: 10 }, (_, index) => ({
  domain: index % 2 ? 'photo' : 'sketch',
  className: 'cup',
  name: String(index),
}));
const sampler = shuffledSampler(samples, ['cup'], { batchSize: 4, seed: 2 });
const tick = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Images whose bytes are the number in their name; counts what was asked for and what is under way. */
class CountingSource implements ImageSource {
  asked = 0;
  underWay = 0;
  broken = '';

  async read(sample: Sample, size: number): Promise<Uint8Array> {
    this.asked++;
    this.underWay++;
    await tick();
    this.underWay--;
    if (sample.name === this.broken) throw new Error(`${sample.name} is broken`);
    return new Uint8Array(size * size * 3).fill(Number(sample.name));
  }
}

const optionsFor = (images: ImageSource, change: Partial<BatchOptions> = {}): BatchOptions => ({
  sampler,
  images,
  sourceSize: SIZE,
  to: 6,
  transforms: (domains, step) =>
    identityTransforms(domains.length, { sourceSize: SIZE, outputSize: SIZE }).fill(step, 0, 1),
  ...change,
});
const collect = async <T>(generator: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const one of generator) all.push(one);
  return all;
};

test('batches come in order with the pixels, transforms, labels and domains of their samples', async () => {
  const all = await collect(batches(optionsFor(new CountingSource())));
  assert.equal(
    all.map(({ step }) => step),
    [0, 1, 2, 3, 4, 5],
  );
  for (const { step, images, transforms, labels, domains } of all) {
    const expected = sampler.batch(step);
    assert.is(images.length, 4 * BYTES);
    expected.samples.forEach(({ name }, item) =>
      assert.ok(images.subarray(item * BYTES, (item + 1) * BYTES).every((byte) => byte === Number(name))),
    );
    assert.is(transforms[0], step);
    assert.equal(labels, expected.labels);
    assert.equal(domains, expected.domains);
  }
});

test('a resumed run meets the batches it would have met', async () => {
  const all = await collect(batches(optionsFor(new CountingSource())));
  const rest = await collect(batches(optionsFor(new CountingSource(), { from: 4 })));
  assert.equal(rest, all.slice(4));
});

test('the next batches are read while one is used, and no more than asked for', async () => {
  const source = new CountingSource();
  const generator = batches(optionsFor(source, { ahead: 2, to: Infinity }));
  await generator.next();
  assert.is(source.asked, 3 * 4);
  for (let used = 2; used < 5; used++) {
    await generator.next();
    assert.is(source.asked, (used + 2) * 4);
  }
  await generator.return();
});

test('an image that cannot be read throws when its batch is due, and not before', async () => {
  const source = new CountingSource();
  source.broken = sampler.batch(2).samples[1].name;
  const firstBroken = [0, 1, 2].find((step) => sampler.batch(step).samples.some(({ name }) => name === source.broken));
  const steps: number[] = [];
  try {
    for await (const { step } of batches(optionsFor(source))) {
      steps.push(step);
      await tick();
      await tick();
    }
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, `${source.broken} is broken`);
  }
  assert.is(steps.length, firstBroken);
});

test('leaving the loop stops the reading and waits for what is under way', async () => {
  const source = new CountingSource();
  for await (const batch of batches(optionsFor(source, { to: Infinity }))) if (batch.step === 1) break;
  assert.is(source.underWay, 0);
  const { asked } = source;
  await tick();
  await tick();
  assert.is(source.asked, asked);
});

test('a list is read in its order, the last batch filled up with its last sample', async () => {
  const source = new CountingSource();
  const all = await collect(inOrder(samples, 4, { images: source, sourceSize: SIZE, outputSize: 4 }));
  assert.is(source.asked, 10, 'each picture is read once');
  assert.equal(
    all.map(({ count }) => count),
    [4, 4, 2],
  );
  assert.equal(
    all.map(({ images }) => [0, 1, 2, 3].map((item) => images[item * BYTES])),
    [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 9, 9],
    ],
  );
  assert.equal([...all[2].domains], [0, 1, 1, 1]);
  assert.equal(all[2].transforms, identityTransforms(4, { sourceSize: SIZE, outputSize: 4 }));
  assert.equal(await collect(inOrder([], 4, { images: new CountingSource(), sourceSize: SIZE, outputSize: 4 })), []);
});

test.run();
