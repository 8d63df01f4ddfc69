import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DatasetError, type Domain, type Sample } from '../../src/data/dataset.ts';
import { balancedSampler, shuffledSampler, type SampledBatch } from '../../src/data/sampler.ts';

/** Eleven classes, the first with one sketch, the others with five; four photos each. */
const seenClasses = Array.from({ length: 11 }, (_, index) => `class ${index}`);
const several = (domain: Domain, className: string, count: number): Sample[] =>
  Array.from({ length: count }, (_, index) => ({ domain, className, name: `${domain}/${className}/${index}` }));
const train = seenClasses.flatMap((name, index) => [
  ...several('sketch', name, index === 0 ? 1 : 5),
  ...several('photo', name, 4),
]);
const dataset = { name: 'test', seenClasses, train };

const P = 4;
const K = 3;
const balanced = (seed = 5) => balancedSampler(dataset, { classesPerBatch: P, imagesPerDomain: K, seed });
const names = (batch: SampledBatch) => batch.samples.map(({ name }) => name);

test('a balanced batch holds K sketches of each of P classes, then K photos, in one order of classes', () => {
  const sampler = balanced();
  assert.is(sampler.batchSize, 2 * P * K);
  for (let step = 0; step < 20; step++) {
    const { samples, labels, domains } = sampler.batch(step);
    assert.equal([...domains], [...new Array(P * K).fill(0), ...new Array(P * K).fill(1)]);
    assert.equal(
      samples.map(({ domain }) => domain),
      [...new Array(P * K).fill('sketch'), ...new Array(P * K).fill('photo')],
    );
    assert.equal([...labels.subarray(0, P * K)], [...labels.subarray(P * K)]);
    for (let item = 0; item < labels.length; item++) {
      assert.is(samples[item].className, seenClasses[labels[item]]);
      assert.is(labels[item], labels[item - (item % K)], 'K in a row are of one class');
    }
    assert.is(new Set(labels).size, P);
  }
});

test('a pass visits every class before any comes again', () => {
  const sampler = balanced();
  assert.is(sampler.stepsPerPass, 3);
  for (let pass = 0; pass < 10; pass++) {
    const visited = [0, 1, 2].flatMap((step) =>
      [...sampler.batch(pass * 3 + step).labels].filter((_, item) => item < P * K && item % K === 0),
    );
    assert.is(new Set(visited.slice(0, 11)).size, 11);
    assert.is(visited[11], visited[0], 'what fills the last batch up is the beginning of the pass');
  }
});

test('no image comes twice in a batch, unless its class has fewer than K', () => {
  const sampler = balanced();
  let repeats = 0;
  for (let step = 0; step < 30; step++) {
    const counts = new Map<string, number>();
    for (const name of names(sampler.batch(step))) counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const [name, count] of counts) {
      assert.is(count, name === 'sketch/class 0/0' ? K : 1);
      if (count > 1) repeats++;
    }
  }
  assert.ok(repeats > 0);
});

test('over many passes every image of a class is drawn equally often', () => {
  const sampler = balanced();
  const counts = new Map<string, number>();
  // A class comes once in each of these steps' passes; the steps that fill up are left out.
  for (let pass = 0; pass < 400; pass++) {
    for (const step of [0, 1])
      for (const name of names(sampler.batch(3 * pass + step))) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  // Of 400 passes, 8/11 show a class in the first two steps, with 3 of its 5 sketches: 174.5 expected.
  const sketches = [...counts].filter(([name]) => name.startsWith('sketch') && !name.startsWith('sketch/class 0/'));
  assert.is(sketches.length, 50);
  for (const [name, count] of sketches) assert.ok(Math.abs(count - 174.5) < 5 * Math.sqrt(174.5), `${name}: ${count}`);
});

test('batches depend on seed and step alone', () => {
  const forwards = balanced();
  const first = Array.from({ length: 8 }, (_, step) => names(forwards.batch(step)));
  const backwards = balanced();
  for (let step = 7; step >= 0; step--) assert.equal(names(backwards.batch(step)), first[step]);
  assert.not.equal(names(balanced(6).batch(0)), first[0]);
  assert.not.equal(first[3], first[0], 'every pass has an order of its own');
});

test('balanced batches refuse too few classes, empty classes, and counts that are none', () => {
  const make = (change: object, options: object) => () =>
    balancedSampler({ ...dataset, ...change }, { classesPerBatch: P, imagesPerDomain: K, seed: 1, ...options });
  assert.throws(make({}, { classesPerBatch: 12 }), /batch of 12 classes needs as many seen classes, and there are 11/);
  assert.throws(
    make({ train: train.filter(({ name }) => !name.startsWith('photo/class 3/')) }, {}),
    /class class 3 has no photo/,
  );
  assert.throws(make({}, { imagesPerDomain: 0 }), /images per domain must be a whole number/);
  assert.throws(
    make({ seenClasses: seenClasses.slice(1) }, {}),
    (error: unknown) => error instanceof DatasetError && /class 0, which is not among/.test(error.message),
  );
});

/** Two sources for class 1's sketches, two and five of them, and one source for everything else. */
const mixed = train.flatMap((sample): Sample[] => {
  if (sample.domain !== 'sketch' || sample.className !== 'class 1') return [{ ...sample, source: 'drawn' }];
  const [first, second] = [`${sample.name}/rendered`, `${sample.name}/drawn`].map((name, index) => ({
    ...sample,
    name,
    source: index === 0 ? 'rendered' : 'drawn',
  }));
  return sample.name.endsWith('/0') || sample.name.endsWith('/1') ? [first, second] : [second];
});
const sourcesIn = (batch: SampledBatch): string[] =>
  batch.samples
    .filter(({ domain, className }) => domain === 'sketch' && className === 'class 1')
    .map(({ source }) => source as string);

test('images of one source are drawn as those of none are', () => {
  const named = balancedSampler(
    { ...dataset, train: train.map((sample) => ({ ...sample, source: 'drawn' })) },
    { classesPerBatch: P, imagesPerDomain: K, seed: 5, sourceWeights: { drawn: 3 } },
  );
  for (let step = 0; step < 6; step++) assert.equal(names(named.batch(step)), names(balanced().batch(step)));
  // The batches of before there were sources.
  assert.equal(
    names(balanced().batch(0)).slice(0, 2 * K),
    ['0', '1', '4']
      .map((image) => `sketch/class 1/${image}`)
      .concat(['1', '3', '0'].map((image) => `sketch/class 10/${image}`)),
  );
});

test('where a class has several sources, each draw takes one by its weight, and other classes are drawn as before', () => {
  const sampler = balancedSampler(
    { ...dataset, train: mixed },
    { classesPerBatch: P, imagesPerDomain: 1, seed: 5, sourceWeights: { drawn: 1, rendered: 3 } },
  );
  const plain = balancedSampler(dataset, { classesPerBatch: P, imagesPerDomain: 1, seed: 5 });
  let rendered = 0;
  let draws = 0;
  for (let step = 0; step < 3000; step++) {
    const batch = sampler.batch(step);
    const others = (one: SampledBatch): string[] =>
      one.samples
        .filter(({ domain, className }) => domain !== 'sketch' || className !== 'class 1')
        .map(({ name }) => name);
    if (step < 30) assert.equal(others(batch), others(plain.batch(step)));
    for (const source of sourcesIn(batch)) {
      draws++;
      rendered += Number(source === 'rendered');
    }
  }
  assert.ok(draws >= 1000);
  // Binomial: five standard deviations.
  assert.ok(Math.abs(rendered - 0.75 * draws) < 5 * Math.sqrt(draws * 0.75 * 0.25), `${rendered} of ${draws}`);
});

test('a source that is used up leaves the draws to the others, and a source of weight 0 has none', () => {
  const batchesOf = (imagesPerDomain: number, sourceWeights: Record<string, number>) => {
    const sampler = balancedSampler(
      { ...dataset, train: mixed },
      { classesPerBatch: 11, imagesPerDomain, seed: 5, sourceWeights },
    );
    return Array.from({ length: 20 }, (_, step) => sampler.batch(step));
  };
  for (const batch of batchesOf(7, { rendered: 1e6 })) {
    const own = batch.samples
      .filter(({ domain, className }) => domain === 'sketch' && className === 'class 1')
      .map(({ name }) => name);
    assert.is(new Set(own).size, 7, 'all seven of both sources');
    assert.equal(sourcesIn(batch).slice(0, 2), ['rendered', 'rendered']);
  }
  for (const batch of batchesOf(9, { drawn: 0.5 }))
    assert.is(
      new Set(batch.samples.filter(({ domain, className }) => domain === 'sketch' && className === 'class 1')).size,
      7,
    );
  for (const batch of batchesOf(4, { rendered: 0 }))
    assert.equal(sourcesIn(batch), ['drawn', 'drawn', 'drawn', 'drawn']);
});

test('weights of sources are refused where they leave nothing to draw, name no source, or are none', () => {
  const make = (sourceWeights: Record<string, number>) => () =>
    balancedSampler({ ...dataset, train: mixed }, { classesPerBatch: P, imagesPerDomain: K, seed: 1, sourceWeights });
  assert.throws(make({ drawn: 0 }), /test: class class 0, sketch: all images come from sources of weight 0 \(drawn\)/);
  assert.throws(make({ drwan: 1 }), /no image to train on is of the source drwan.*the sources are drawn, rendered/);
  assert.throws(make({ drawn: -1 }), /weight of the source drawn must be a finite number/);
  assert.throws(make({ drawn: NaN }), (error: unknown) => error instanceof DatasetError);
});

test('a shuffled pass takes every sample once, and fills the last batch from its beginning', () => {
  const photos = train.filter(({ domain }) => domain === 'photo');
  const sampler = shuffledSampler(photos, seenClasses, { batchSize: 16, seed: 5 });
  assert.is(sampler.stepsPerPass, 3);
  const passes = [0, 1].map((pass) => [0, 1, 2].flatMap((step) => names(sampler.batch(3 * pass + step))));
  for (const pass of passes) {
    assert.is(new Set(pass.slice(0, 44)).size, 44);
    assert.equal(pass.slice(44), pass.slice(0, 4));
  }
  assert.not.equal(passes[0], passes[1]);
  const again = shuffledSampler(photos, seenClasses, { batchSize: 16, seed: 5 });
  assert.equal(names(again.batch(4)), passes[1].slice(16, 32));
  const { samples, labels, domains } = sampler.batch(0);
  samples.forEach(({ className }, item) => assert.is(className, seenClasses[labels[item]]));
  assert.ok(domains.every((domain) => domain === 1));
});

test('a shuffled batch larger than the list repeats it, and an empty list is refused', () => {
  const sampler = shuffledSampler(train.slice(0, 3), seenClasses, { batchSize: 7, seed: 5 });
  const batch = names(sampler.batch(0));
  assert.equal(batch.slice(3, 6), batch.slice(0, 3));
  assert.throws(() => shuffledSampler([], seenClasses, { batchSize: 7, seed: 5 }), /no sample to draw/);
});

test('classes of a source that repeats come so many times in a pass, and never twice in a batch', () => {
  // Classes 2 to 7 have sketches of people.
  const withSource = train.map((sample) =>
    sample.domain === 'sketch' && /^class [2-7]$/.test(sample.className) && sample.name.endsWith('/0')
      ? { ...sample, source: 'people' }
      : sample,
  );
  const sampler = balancedSampler(
    { ...dataset, train: withSource },
    { classesPerBatch: P, imagesPerDomain: 1, seed: 5, sourceRepeats: { people: 3 } },
  );
  // Eleven classes in three batches, then twice six in two.
  assert.is(sampler.stepsPerPass, 3 + 2 + 2);
  for (let pass = 0; pass < 5; pass++) {
    const visits = new Map<number, number>();
    for (let step = 0; step < 7; step++) {
      const { labels } = sampler.batch(7 * pass + step);
      const own = [...labels.subarray(0, P)];
      assert.is(new Set(own).size, P);
      for (const label of own) visits.set(label, (visits.get(label) ?? 0) + 1);
    }
    seenClasses.forEach((_, label) => assert.ok((visits.get(label) ?? 0) >= (label >= 2 && label <= 7 ? 3 : 1)));
  }
  const firstPass = Array.from({ length: 7 }, (_, step) => names(sampler.batch(step)));
  assert.equal(
    firstPass,
    Array.from({ length: 7 }, (_, step) => names(sampler.batch(step))),
  );
  const images = (className: string): Set<string> =>
    new Set(firstPass.flat().filter((name) => name.startsWith(`photo/${className}/`)));
  assert.ok(
    ['class 2', 'class 3', 'class 4', 'class 5', 'class 6', 'class 7'].some((className) => images(className).size > 1),
    'a class that comes again may show other images',
  );
});

test('repeats of an unknown source, of part of a pass or of too few classes are refused', () => {
  const repeating = (sourceRepeats: Record<string, number>, source = 'people', count = 1): void =>
    void balancedSampler(
      {
        ...dataset,
        train: train.map((sample) =>
          sample.domain === 'sketch' && seenClasses.indexOf(sample.className) < count ? { ...sample, source } : sample,
        ),
      },
      { classesPerBatch: P, imagesPerDomain: 1, seed: 5, sourceRepeats },
    );
  assert.throws(() => repeating({ elephants: 2 }), /elephants/);
  assert.throws(() => repeating({ people: 1.5 }, 'people', 6), /whole number/);
  assert.throws(() => repeating({ people: 2 }, 'people', 3), /3 classes repeat 2 times/);
});

test('a picture comes with the sketch simulated of it as often as is asked, where it has one', () => {
  // Of two in four photos of each class a sketch is simulated.
  const simulated = train
    .filter(({ domain, name }) => domain === 'photo' && /[01]$/.test(name))
    .map(({ className, name }): Sample => ({
      domain: 'sketch',
      className,
      name: `simulated/${name}`,
      source: 'simulated',
      of: name,
    }));
  const withSimulated = { ...dataset, train: [...train, ...simulated] };
  const shareOf = (pairedSketches: number): number => {
    const sampler = balancedSampler(withSimulated, { classesPerBatch: P, imagesPerDomain: 1, seed: 5, pairedSketches });
    let [pairs, possible] = [0, 0];
    for (let step = 0; step < 300; step++) {
      const { samples, labels } = sampler.batch(step);
      assert.equal(sampler.batch(step).samples, samples);
      assert.equal([...labels.subarray(0, P)], [...labels.subarray(P)]);
      assert.is(new Set(samples).size, samples.length);
      for (let place = 0; place < P; place++) {
        if (!/[01]$/.test(samples[P + place].name)) continue;
        possible++;
        if (samples[place].of === samples[P + place].name) pairs++;
      }
    }
    return pairs / possible;
  };
  assert.is(shareOf(1), 1);
  const [never, half] = [shareOf(0), shareOf(0.5)];
  // By chance alone, half of the sketches are simulated, and half of those are the photo's own: the class has two. Of
  // some 600 draws, four standard deviations are 0.08.
  assert.ok(Math.abs(never - 1 / 4) < 0.08, `${never}`);
  assert.ok(Math.abs(half - (0.5 + 0.5 / 4)) < 0.08, `${half}`);
});

test('paired sketches are refused where nothing was simulated, and for what is no probability', () => {
  const pairing = (pairedSketches: number): void =>
    void balancedSampler(dataset, { classesPerBatch: P, imagesPerDomain: 1, seed: 5, pairedSketches });
  assert.throws(() => pairing(0.5), /no sketch is simulated/);
  assert.throws(() => pairing(1.5), /from 0 to 1/);
  assert.throws(() => pairing(NaN), /from 0 to 1/);
});

test.run();
