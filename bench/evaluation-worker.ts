// One dimension of `npm run bench:evaluation`, in a process of its own: prints one JSON line.
import { openDevice, releaseGpu } from '../src/platform/adapter.ts';
import { RandomStream } from '../src/random/philox.ts';
import { deviceCosineRows } from '../src/retrieval/device-cosine.ts';
import { evaluateRetrieval, evaluateRetrievalOnDevice, type RetrievalOptions } from '../src/retrieval/evaluate.ts';
import { Ranker } from '../src/retrieval/ranking.ts';
import { evaluateTopOnDevice } from '../src/retrieval/top-metrics.ts';
import { circumstances, type Circumstances } from './support/report.ts';

export interface EvaluationJob {
  readonly dimension: number;
  readonly queries: number;
  readonly gallery: number;
  readonly classes: number;
  /** Queries that are ranked by a plain full sort as well. */
  readonly sample: number;
}

export interface EvaluationResult extends EvaluationJob {
  readonly circumstances: Circumstances;
  readonly seconds: number;
  /** Of all threads of the process, a software adapter's included. */
  readonly processorSeconds: number;
  /** The largest resident set of this process, embeddings included; on a software adapter its buffers too. */
  readonly peakBytes: number;
  /** The same for the metrics of the first ten ranks alone, by `evaluateTopOnDevice`. */
  readonly topSeconds: number;
  readonly topProcessorSeconds: number;
  /** P@10 by the first ranks, less that by the whole ranking. */
  readonly topDifference: number;
  readonly mapAll: number;
  readonly precisionAt100: number;
  /** Sampled queries whose ranks are all those of the full sort of the same scores. */
  readonly equalQueries: number;
  /** Pairs of neighbours with equal scores in the rankings of the sample. */
  readonly ties: number;
  /** mAP@all of the sample by the scores in float64 on the host, less that by the device's. */
  readonly sampleDifference: number;
}

/** The cutoff of the metrics of the first ranks. */
const TOP = 10;

const job = JSON.parse(process.argv[2]) as EvaluationJob;
const device = await openDevice('auto', { unsafe: true });
const task = syntheticTask(job);
const start = performance.now();
const before = process.cpuUsage();
const metrics = await evaluateRetrievalOnDevice(device, { ...task, cutoffs: [100, TOP] });
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(before);
const peakBytes = process.resourceUsage().maxRSS * 1024;

const topStart = performance.now();
const topBefore = process.cpuUsage();
const top = await evaluateTopOnDevice(device, { ...task, cutoffs: [TOP] });
const topSeconds = (performance.now() - topStart) / 1000;
const topUsage = process.cpuUsage(topBefore);

const sample = sampleOf(task, job.sample);
const { equalQueries, ties } = await compareWithFullSort(sample);
const result: EvaluationResult = {
  ...job,
  circumstances: circumstances(device, 'bench:evaluation'),
  seconds,
  processorSeconds: (user + system) / 1e6,
  peakBytes,
  topSeconds,
  topProcessorSeconds: (topUsage.user + topUsage.system) / 1e6,
  topDifference: top.atCutoff[0].precision - metrics.atCutoff[1].precision,
  mapAll: metrics.mapAll,
  precisionAt100: metrics.atCutoff[0].precision,
  equalQueries,
  ties,
  sampleDifference: evaluateRetrieval(sample).mapAll - (await evaluateRetrievalOnDevice(device, sample)).mapAll,
};
device.dispose();
releaseGpu();
process.stdout.write(`${JSON.stringify(result)}\n`);

/** Classes as clusters of uneven size and spread; each 16th item of the gallery is the same as the one before it. */
function syntheticTask({ dimension, queries, gallery, classes }: EvaluationJob): RetrievalOptions {
  const random = new RandomStream(0, 0);
  const centres = Float32Array.from({ length: classes * dimension }, () => random.uniform() - 0.5);
  const rows = (count: number): { rows: Float32Array; labels: Uint32Array } => {
    const labels = Uint32Array.from({ length: count }, () =>
      Math.floor(classes * random.uniform() * Math.sqrt(random.uniform())),
    );
    const values = new Float32Array(count * dimension);
    labels.forEach((label, row) => {
      const spread = 2 + (label % 5);
      for (let i = 0; i < dimension; i++)
        values[row * dimension + i] = centres[label * dimension + i] + spread * (random.uniform() - 0.5);
    });
    return { rows: values, labels };
  };
  const sketches = rows(queries);
  const photos = rows(gallery);
  for (let item = 15; item < gallery; item += 16) {
    photos.rows.copyWithin(item * dimension, (item - 1) * dimension, item * dimension);
    photos.labels[item] = (photos.labels[item - 1] + (item % 3 === 0 ? 1 : 0)) % classes;
  }
  return {
    queries: sketches.rows,
    queryLabels: sketches.labels,
    gallery: photos.rows,
    galleryLabels: photos.labels,
    dimension,
  };
}

/** Queries spread over all. */
function sampleOf(task: RetrievalOptions, count: number): RetrievalOptions {
  const { queries, queryLabels, dimension } = task;
  const chosen = Array.from({ length: count }, (_, i) => Math.floor((i * queryLabels.length) / count));
  const rows = new Float32Array(count * dimension);
  chosen.forEach((query, row) =>
    rows.set(queries.subarray(query * dimension, (query + 1) * dimension), row * dimension),
  );
  return { ...task, queries: rows, queryLabels: chosen.map((query) => queryLabels[query]) };
}

async function compareWithFullSort(task: RetrievalOptions): Promise<{ equalQueries: number; ties: number }> {
  const { queryLabels, galleryLabels } = task;
  const ranker = new Ranker();
  let query = 0;
  let equalQueries = 0;
  let ties = 0;
  for await (const scores of deviceCosineRows(device, task)) {
    const label = queryLabels[query++];
    const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
    const expected = order.flatMap((item, place) => (galleryLabels[item] === label ? [place + 1] : []));
    const relevant = Uint32Array.from(scores.keys()).filter((item) => galleryLabels[item] === label);
    const ranks = ranker.rank(scores, relevant);
    equalQueries += Number(ranks.length === expected.length && expected.every((rank, i) => rank === ranks[i]));
    for (let i = 1; i < order.length; i++) ties += Number(scores[order[i]] === scores[order[i - 1]]);
  }
  return { equalQueries, ties };
}
