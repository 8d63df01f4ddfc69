/**
 * Which samples make up the batch of a step. A batch depends on the seed and the step's number
 * alone, so a resumed run needs nothing else to go on with the same data.
 */
import { RandomStream, STREAM } from '../random/philox.ts';
import { DatasetError, DOMAIN_INDEX, type Dataset, type Domain, type Sample } from './dataset.ts';
import { drawFrom, requireKnownSources, sourcesOf, type Source, type SourceWeights } from './sources.ts';

/** The samples of a batch, N of them. */
export interface SampledBatch {
  readonly samples: readonly Sample[];
  /** Indices into the seen classes, [N]. */
  readonly labels: Uint32Array;
  /** DOMAIN_INDEX of each sample, [N]. */
  readonly domains: Uint32Array;
}

/** Chooses the samples of each step. */
export interface Sampler {
  readonly batchSize: number;
  /** Steps in which every class (balanced) or every sample (shuffled) comes at least once. */
  readonly stepsPerPass: number;
  /** The batch of a step; it depends on the step and the seed alone. */
  batch(step: number): SampledBatch;
}

/** Settings of `balancedSampler`. */
export interface BalancedBatches {
  /** P. */
  readonly classesPerBatch: number;
  /** K. */
  readonly imagesPerDomain: number;
  /** Seed of order and draws, u32. */
  readonly seed: number;
  /** How often each source is drawn from; see sources.ts. */
  readonly sourceWeights?: SourceWeights;
  /** How often the classes of a source come in a pass; once where nothing is said. */
  readonly sourceRepeats?: Readonly<Record<string, number>>;
  /**
   * The probability, from 0 to 1, with which a picture comes with the sketch simulated of it, where it has one. Default
   * 0.
   */
  readonly pairedSketches?: number;
}

/**
 * The domain-balanced batch that mining needs: P classes x (K sketches + K photos), first all
 * sketches class by class, then all photos in the same order (method.md, Training).
 *
 * A pass visits every class once, in an order of its own; where the classes do not fill the last
 * batch, it is filled up from the pass's beginning. A batch never holds a class twice. It holds an
 * image twice only where a class has fewer than K in a domain.
 *
 * Classes of a source that repeats come several times in a pass: the pass has further rounds, each over
 * the classes that are to come once more, and takes its batches from all rounds in a random order.
 *
 * Where the images of a class and domain come from several sources, each draw takes a source first,
 * by its weight, and then an image of it (sources.ts).
 *
 * A sketch that was simulated of a picture can take the place of the sketch that was drawn beside it, so
 * that a network learns first which lines are which shapes.
 *
 * @param dataset its training samples are drawn from
 * @throws DatasetError where there are fewer than P classes, a class lacks a domain, or the weights of sources leave
 * nothing to draw
 */
export function balancedSampler(
  dataset: Pick<Dataset, 'name' | 'seenClasses' | 'train'>,
  {
    classesPerBatch,
    imagesPerDomain,
    seed,
    sourceWeights = {},
    sourceRepeats = {},
    pairedSketches = 0,
  }: BalancedBatches,
): Sampler {
  const { name, seenClasses, train } = dataset;
  requireCount('classes per batch', classesPerBatch);
  requireCount('images per domain', imagesPerDomain);
  if (seenClasses.length < classesPerBatch) {
    throw new DatasetError(
      `${name}: a batch of ${classesPerBatch} classes needs as many seen classes, and there are ${seenClasses.length}; lower the classes per batch`,
    );
  }
  const labelOf = new Map(seenClasses.map((className, label) => [className, label]));
  const images: Record<Domain, Sample[][]> = { sketch: seenClasses.map(() => []), photo: seenClasses.map(() => []) };
  for (const sample of train) images[sample.domain][requireLabel(labelOf, sample)].push(sample);
  for (const domain of ['sketch', 'photo'] as const) {
    const empty = images[domain].findIndex((samples) => samples.length === 0);
    if (empty >= 0)
      throw new DatasetError(
        `${name}: class ${seenClasses[empty]} has no ${domain} to train on; add one or remove the class`,
      );
  }
  requireKnownSources(name, train, sourceWeights);
  const sources = (domain: Domain): (readonly Source[])[] =>
    images[domain].map((samples, label) =>
      sourcesOf(samples, sourceWeights, `${name}: class ${seenClasses[label]}, ${domain}`),
    );
  const drawnFrom: Record<Domain, (readonly Source[])[]> = { sketch: sources('sketch'), photo: sources('photo') };

  const sketchOf = sketchesByPicture(name, train, pairedSketches);

  const rounds = roundsOf(seenClasses, train, sourceRepeats, classesPerBatch);
  const batchesOfRounds = rounds.flatMap((classes, round) =>
    Array.from({ length: Math.ceil(classes.length / classesPerBatch) }, (_, index) => ({
      round,
      first: index * classesPerBatch,
    })),
  );
  const stepsPerPass = batchesOfRounds.length;
  return {
    batchSize: 2 * classesPerBatch * imagesPerDomain,
    stepsPerPass,
    batch(step) {
      const pass = Math.floor(step / stepsPerPass);
      const random = new RandomStream(seed, STREAM.order, [pass, 0]);
      const orders = rounds.map((classes) => random.shuffle([...classes]));
      const { round, first } = (rounds.length === 1 ? batchesOfRounds : random.shuffle([...batchesOfRounds]))[
        step % stepsPerPass
      ];
      const labels = Array.from(
        { length: classesPerBatch },
        (_, index) => orders[round][(first + index) % orders[round].length],
      );
      const samples = (['sketch', 'photo'] as const).flatMap((domain) =>
        labels.flatMap((label) => {
          const place = 1 + 2 * label + DOMAIN_INDEX[domain];
          // Other images are drawn of a class that comes again in a pass.
          return drawFrom(
            drawnFrom[domain][label],
            imagesPerDomain,
            new RandomStream(seed, STREAM.order, [pass, place + round * 2 * seenClasses.length]),
          );
        }),
      );
      const withPairs =
        pairedSketches === 0
          ? samples
          : paired(samples, sketchOf, pairedSketches, new RandomStream(seed, STREAM.order, [step, PAIRS]));
      return labelled(withPairs, labelOf);
    },
  };
}

/** The second part of the random stream's address; far from those of the draws. */
const PAIRS = 2 ** 31;

/** The simulated sketch of each picture that has one. @throws DatasetError where none has, and pairs are requested */
function sketchesByPicture(name: string, train: readonly Sample[], probability: number): ReadonlyMap<string, Sample> {
  if (!(probability >= 0 && probability <= 1))
    throw new DatasetError(`the probability of paired sketches must be from 0 to 1, and it is ${probability}`);
  const sketchOf = new Map(train.flatMap((sample) => (sample.of === undefined ? [] : [[sample.of, sample] as const])));
  if (probability > 0 && sketchOf.size === 0)
    throw new DatasetError(
      `${name}: no sketch is simulated of a picture, so none can be paired with it; leave the paired sketches out`,
    );
  return sketchOf;
}

/** @param samples sketches, then as many photos in the same order */
function paired(
  samples: readonly Sample[],
  sketchOf: ReadonlyMap<string, Sample>,
  probability: number,
  random: RandomStream,
): Sample[] {
  const half = samples.length / 2;
  const result = [...samples];
  for (let place = 0; place < half; place++) {
    const happens = random.uniform() < probability;
    const sketch = sketchOf.get(samples[half + place].name);
    // No sketch comes twice.
    if (happens && sketch !== undefined && !result.includes(sketch)) result[place] = sketch;
  }
  return result;
}

/**
 * Samples in a shuffled order, for plain classification. A pass takes every sample once, in an
 * order of its own; where the samples do not fill the last batch, it is filled up from the pass's
 * beginning.
 *
 * @param samples of one domain or both
 * @param classNames the classes that labels are indices into
 * @throws DatasetError where there is no sample, or one of a class that is not in `classNames`
 */
export function shuffledSampler(
  samples: readonly Sample[],
  classNames: readonly string[],
  { batchSize, seed }: { batchSize: number; seed: number },
): Sampler {
  requireCount('the batch size', batchSize);
  if (samples.length === 0) throw new DatasetError('there is no sample to draw batches from; give at least one');
  const labelOf = new Map(classNames.map((className, label) => [className, label]));
  for (const sample of samples) requireLabel(labelOf, sample);

  const stepsPerPass = Math.ceil(samples.length / batchSize);
  // Steps come one after another, so the order of one pass is kept; it is a function of the pass all the same.
  let kept: { pass: number; order: Sample[] } | undefined;
  return {
    batchSize,
    stepsPerPass,
    batch(step) {
      const pass = Math.floor(step / stepsPerPass);
      if (kept?.pass !== pass)
        kept = { pass, order: new RandomStream(seed, STREAM.order, [pass, 0]).shuffle([...samples]) };
      const { order } = kept;
      const first = (step % stepsPerPass) * batchSize;
      return labelled(
        Array.from({ length: batchSize }, (_, index) => order[(first + index) % order.length]),
        labelOf,
      );
    },
  };
}

/** The classes of each round of a pass: all of them, then those that are to come once more. */
function roundsOf(
  seenClasses: readonly string[],
  train: readonly Sample[],
  sourceRepeats: Readonly<Record<string, number>>,
  classesPerBatch: number,
): number[][] {
  const repeats = new Map<string, number>();
  for (const [source, count] of Object.entries(sourceRepeats)) {
    requireCount(`the repeats of the source ${source}`, count);
    const own = new Set(train.filter((sample) => sample.source === source).map(({ className }) => className));
    if (own.size === 0) throw new DatasetError(`no image to train on is of the source ${source}, which is to repeat`);
    for (const className of own) repeats.set(className, Math.max(count, repeats.get(className) ?? 1));
  }
  const most = Math.max(1, ...Object.values(sourceRepeats));
  const rounds = Array.from({ length: most }, (_, round) =>
    [...seenClasses.keys()].filter((label) => (repeats.get(seenClasses[label]) ?? 1) > round),
  );
  const small = rounds.findIndex((classes) => classes.length < classesPerBatch);
  if (small >= 0)
    throw new DatasetError(
      `${rounds[small].length} classes repeat ${small + 1} times, fewer than a batch has (${classesPerBatch}); lower the classes per batch or the repeats`,
    );
  return rounds;
}

function labelled(samples: readonly Sample[], labelOf: ReadonlyMap<string, number>): SampledBatch {
  return {
    samples,
    labels: Uint32Array.from(samples, (sample) => requireLabel(labelOf, sample)),
    domains: Uint32Array.from(samples, ({ domain }) => DOMAIN_INDEX[domain]),
  };
}

function requireLabel(labelOf: ReadonlyMap<string, number>, { name, className }: Sample): number {
  const label = labelOf.get(className);
  if (label === undefined)
    throw new DatasetError(
      `${name} is of the class ${className}, which is not among the classes to train; add the class or leave the sample out`,
    );
  return label;
}

function requireCount(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new DatasetError(`${what} must be a whole number of at least 1, and it is ${value}`);
}
