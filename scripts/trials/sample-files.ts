/** A small sound file of each kind that sketchgrad writes or reads, for trials that damage them. */
import { serializeIndex } from '../../src/retrieval/index-file.ts';
import { modelChecksum, serializeModel } from '../../src/models/model-file.ts';
import {
  serializeKnowledge,
  serializePartialKnowledge,
  type KnowledgeOrigin,
} from '../../src/training/knowledge-file.ts';

const NETWORK = { width: 0.25, stride: 'v1.5', batchNormEpsilon: 1e-5, batchNormMomentum: 0.1 } as const;
const PIXELS = { mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.25] } as const;

const numbers = (count: number, from = 0): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(from + index));

const ORIGIN: KnowledgeOrigin = {
  teacher: 'cd'.repeat(32),
  photos: '00',
  reading: { mean: 'softmax', temperature: 1 },
  photosPerClass: 0,
  seed: 0,
  imageSize: 32,
  batchSize: 32,
  pixels: PIXELS,
  network: NETWORK,
};

export type SampleKind = 'model' | 'index' | 'knowledge' | 'partial' | 'config' | 'shards';

/** A fresh copy of each. */
export async function sampleFiles(): Promise<Record<SampleKind, Uint8Array>> {
  const state = new Map([
    ['embedding.weight', { shape: [4, 2], values: numbers(8) }],
    ['classifier.bias', { shape: [3], values: numbers(3, 8) }],
  ]);
  const about = {
    kind: 'retrieval',
    imageSize: 32,
    pixels: PIXELS,
    network: { ...NETWORK, embedding: 4, classes: 3, classifier: 'linear', teacherClasses: 0 },
    classes: ['a', 'b', 'c'],
    settings: { seed: 1 },
    data: { name: 'x', fingerprint: '00' },
    best: { stepsDone: 3, mapAll: 0.1 },
    variants: { q: 'v' },
    options: { data: 'x', seed: 0, steps: 5 },
    microBatches: 1,
  };
  const moments = new Map([['moment1', new Map([['embedding.weight', { shape: [4, 2], values: numbers(8, 20) }]])]]);
  const tables = new Map([['knowledge', { shape: [3, 2], values: Float32Array.of(0.5, 0.5, 0.25, 0.75, 1, 0) }]]);
  const embeddings = Float32Array.from([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.6, 0.8, 0, 0, 1, 0, 0.8, 0, 0, -0.6]);
  const text = (content: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(content));
  return {
    model: await serializeModel({ state, about, moments, tables, step: 7, checksum: await modelChecksum(state) }),
    index: serializeIndex({
      embeddings,
      dimension: 4,
      paths: ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png', 'c/1.png'],
      modelChecksum: 'ab'.repeat(32),
      codes: {
        coder: { bits: 3, dimension: 4, mean: numbers(4), projection: numbers(12) },
        rows: Uint32Array.of(1, 2, 3, 4, 5),
        fittedOn: 'x',
      },
    }),
    knowledge: serializeKnowledge({
      classes: ['a', 'b', 'c'],
      table: { shape: [3, 5], values: new Float32Array(15).fill(0.2) },
      counts: Uint32Array.of(1, 2, 3),
      origin: ORIGIN,
    }),
    partial: serializePartialKnowledge({
      classes: ['a', 'b', 'c'],
      origin: ORIGIN,
      photosDone: 2,
      sums: new Float64Array(15).fill(0.2),
      counts: Uint32Array.of(1, 1, 0),
      variants: { q: 'v' },
    }),
    config: text({
      data: 'x',
      seed: 3,
      steps: 10,
      size: 64,
      width: 0.5,
      optimizer: 'sgd',
      'memory-budget': '900M',
      'learning-rate': 1e-3,
      strict: true,
    }),
    shards: text({
      metadata: { total_size: 64 },
      weight_map: {
        'conv1.weight': 'model-00001-of-00002.safetensors',
        'fc.weight': 'model-00002-of-00002.safetensors',
      },
    }),
  };
}
