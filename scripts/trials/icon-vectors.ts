// How many of the ten best icons stay the same when float32 embeddings are stored in fewer bits, how well thick ink tells solid icons from outlines, and how long
// a ranking takes.
//   npx tsx scripts/trials/icon-vectors.ts FOLDER [every]    FOLDER has @iconify/json in its node_modules; one icon in `every` (19) is taken
import { iconDigest, iconImage } from '../../datasets/icon-drawings.ts';
import { findIconSets, readIconSet, type Icon } from '../../datasets/icon-sets.ts';
import { readModelFile, searchModelPath } from '../../src/cli/files/model-file.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import { ImageError } from '../../src/platform/node/images.ts';
import { RandomStream, STREAM } from '../../src/random/philox.ts';
import { encode, fitBinaryCoder, hammingRows } from '../../src/retrieval/binary-codes.ts';
import { cosineRows } from '../../src/retrieval/cosine.ts';
import { IconRanking } from '../../src/retrieval/icon-ranking.ts';
import { declaredStyle, SOLID_INK, type IconStyle } from '../../src/retrieval/icon-style.ts';
import { Int8Cosine, toInt8Vectors } from '../../src/retrieval/int8-vectors.ts';
import { bestItems } from '../../src/retrieval/ranking.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';

const QUERIES = 500;
const BEST = 10;
/** Icons of @iconify/json 2.2.535. */
const ALL_ICONS = 379_411;
/** Embeddings that agree to this cosine are one: an order among them means nothing. */
const SAME = 0.9999;

const [folder, every = '19'] = process.argv.slice(2);
const icons: { readonly icon: Icon; readonly declared: IconStyle | undefined }[] = [];
const seen = new Set<string>();
let count = 0;
for (const files of (await findIconSets(folder)).values()) {
  const { icons: all, styles } = await readIconSet(files);
  for (const icon of all) {
    if (count++ % Number(every) !== 0 || seen.has(iconDigest(icon))) continue;
    seen.add(iconDigest(icon));
    icons.push({ icon, declared: styles.palette === true ? 'colour' : declaredStyle(styles, icon.name) });
  }
}

await ensureAdapter();
const device = await openDevice('auto', { unsafe: true });
const modelFile = searchModelPath(undefined);
const model = openRetrievalModel(device, await readModelFile(modelFile, '--model'), modelFile);
const rows = await modelEmbeddings(model);
const dimension = rows.width;
const thick = new Float64Array(icons.length);
const start = performance.now();
const cpu = process.cpuUsage();
const embeddings = await rows.compute(
  icons.map((_, place) => ({ domain: 'photo', className: '', name: String(place) })),
  {
    async read({ name }, size) {
      const { icon } = icons[Number(name)];
      const image = await iconImage(icon, size, icon.name).catch((error: unknown) => {
        if (error instanceof ImageError) return { pixels: new Uint8Array(3 * size * size).fill(255), thick: 0 };
        throw error;
      });
      thick[Number(name)] = image.thick;
      return image.pixels;
    },
  },
);
const { user, system } = process.cpuUsage(cpu);
console.log(
  `${icons.length} drawings of ${count} icons: ${((performance.now() - start) / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU`,
);
rows.destroy();
model.storage.destroy();
device.dispose();
releaseGpu();

const right = (style: IconStyle, isRight: (share: number) => boolean): number => {
  const declared = icons.flatMap((each, place) => (each.declared === style ? [thick[place]] : []));
  return declared.filter(isRight).length / declared.length;
};
console.log(
  `thick ink agrees with ${(100 * right('outline', (share) => share < SOLID_INK)).toFixed(1)} % of declared outlines and ${(100 * right('solid', (share) => share >= SOLID_INK)).toFixed(1)} % of declared solid icons`,
);

// Queries are some of the icons; a query's own icon is left out of the gallery.
const random = new RandomStream(0, STREAM.initialisation);
const order = random.shuffle(icons.map((_, place) => place));
const take = (places: readonly number[]): Float32Array => {
  const result = new Float32Array(places.length * dimension);
  places.forEach((place, row) =>
    result.set(embeddings.subarray(place * dimension, (place + 1) * dimension), row * dimension),
  );
  return result;
};
const gallery = take(order.slice(QUERIES));
const queries = take(order.slice(0, QUERIES));
const exact = Array.from(cosineRows({ queries, gallery, dimension }), (scores) => scores.slice());
const kept = exact.flatMap((scores, query) => {
  const [first, ...others] = bestItems(scores, BEST + 1);
  // A model that gives hundreds of icons one embedding has no ten best.
  return first.score < SAME || others[BEST - 1].score < SAME ? [query] : [];
});
console.log(`${kept.length} of ${QUERIES} queries have ten best; ${dimension} values`);

const overlap = (
  name: string,
  best: (query: Float32Array, exactScores: Float32Array) => readonly { readonly index: number }[],
): void => {
  const shares = kept.map((query) => {
    const expected = new Set(bestItems(exact[query], BEST).map(({ index }) => index));
    return (
      best(queries.subarray(query * dimension, (query + 1) * dimension), exact[query]).filter(({ index }) =>
        expected.has(index),
      ).length / BEST
    );
  });
  console.log(`${name.padEnd(44)} ${(shares.reduce((sum, share) => sum + share, 0) / shares.length).toFixed(3)}`);
};
const byScores = (score: (query: Float32Array, row: number) => number) => (query: Float32Array) =>
  bestItems(
    Float64Array.from({ length: gallery.length / dimension }, (_, row) => score(query, row)),
    BEST,
  );
console.log(`overlap of the ${BEST} best with those of float32`);
const int8 = new Int8Cosine(toInt8Vectors(gallery, dimension), dimension);
overlap(`int8, rotated: ${dimension} bytes`, (query) => {
  int8.setQuery(query.slice());
  return byScores((_, row) => int8.at(row))(query);
});
const plain = new Int8Array(gallery.length);
for (let row = 0; row < gallery.length; row += dimension) {
  const largest = gallery.subarray(row, row + dimension).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let i = row; i < row + dimension; i++) plain[i] = Math.round((127 * gallery[i]) / largest);
}
const lengths = Float64Array.from({ length: gallery.length / dimension }, (_, row) =>
  Math.hypot(...plain.subarray(row * dimension, (row + 1) * dimension)),
);
overlap(
  `int8, as it is: ${dimension} bytes`,
  byScores((query, row) => query.reduce((sum, value, i) => sum + value * plain[row * dimension + i], 0) / lengths[row]),
);
for (const bits of [64, 128].filter((each) => each <= dimension)) {
  const { coder } = fitBinaryCoder(gallery, dimension, { bits });
  const codes = encode(coder, gallery);
  const nearest = (query: Float32Array, k: number): readonly { readonly index: number }[] => {
    const [distances] = hammingRows(encode(coder, query.slice()), codes, Math.ceil(bits / 32));
    return bestItems(
      Float32Array.from(distances, (distance) => -distance),
      k,
    );
  };
  overlap(`codes of ${bits} bits: ${bits / 8} bytes`, (query) => nearest(query, BEST));
  for (const k of [100, 400]) {
    overlap(`codes of ${bits} bits, the best ${k} by int8: ${bits / 8 + dimension} bytes`, (query) => {
      int8.setQuery(query.slice());
      return nearest(query, k)
        .map(({ index }) => ({ index, score: int8.at(index) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, BEST);
    });
  }
}

const vectors = toInt8Vectors(gallery, dimension);
for (const size of [20_000, ALL_ICONS]) {
  const many = Int8Array.from({ length: size * dimension }, (_, at) => vectors[at % vectors.length]);
  const set = { prefix: 'all', title: '', licence: { title: '', spdx: '', url: '' }, count: size };
  const ranking = new IconRanking({ sets: [set], styles: new Uint8Array(size), vectors: many, dimension });
  const times = Array.from({ length: 20 }, (_, query) => {
    const before = process.cpuUsage();
    ranking.rank(queries.slice(query * dimension, (query + 1) * dimension), BEST);
    const used = process.cpuUsage(before);
    return (used.user + used.system) / 1000;
  }).sort((a, b) => a - b);
  console.log(
    `ranking ${size} icons: ${times[10].toFixed(1)} ms of CPU in the median, ${(many.length / 1e6).toFixed(1)} MB`,
  );
}
