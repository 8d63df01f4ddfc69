// Makes models/emoji-start.safetensors, the demo's starting checkpoint, from pictures alone: no sketch that a person or
// an artist drew, and no unseen class.
//
//   npm install --no-save @iconify/json
//   npx tsx scripts/train-demo-start.ts [--adapter lavapipe] [--out runs/demo-start] [--model FILE]
//
// 1. scripts/pretrain-emoji.ts: a classifier of the emoji's pictures, from random weights. 2. sketchgrad train with
// configs/demo/start.json: from there a retrieval model, of pictures and of sketches simulated of them. Resumable: the
// same command goes on. 3. Heads for the classes of the emoji, from the embeddings of their pictures. --model begins
// here, with a model of the second step.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadEmoji } from '../datasets/emoji.ts';
import type { StateTensor } from '../src/nn/state.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { writeFileAtomically } from '../src/platform/node/files.ts';
import { parseModel, serializeModel, type Json, type ModelFile } from '../src/models/model-file.ts';
import { ClassKnowledge, DEFAULT_READING } from '../src/training/knowledge.ts';
import { modelEmbeddings } from '../src/models/image-rows.ts';
import { describeModel, openRetrievalModel, readModelDescription } from '../src/models/retrieval-model.ts';
import { COSINE_TEMPERATURE } from '../src/training/retrieval-loss.ts';
import { KNOWLEDGE } from '../src/training/teacher-signal.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const TARGET = join(root, 'models/emoji-start.safetensors');
const { values } = parseArgs({
  options: {
    adapter: { type: 'string', default: 'auto' },
    out: { type: 'string', default: 'runs/demo-start' },
    model: { type: 'string' },
  },
});

const source = values.model ?? trainedModel(values.out, values.adapter);
await mkdir(values.out, { recursive: true });
await ensureAdapter(values.adapter as AdapterChoice);
const trained = await parseModel(await readFile(source), source);
const bytes = await serializeModel(await withEmojiHeads(trained, source), 'F16');
await writeFileAtomically(TARGET, bytes);
console.log(`${TARGET}: ${bytes.length} bytes, checksum ${(await parseModel(bytes, TARGET)).checksum}`);
releaseGpu();

/** The first two steps. @returns the path of the model */
function trainedModel(out: string, adapter: string): string {
  const classifier = join(out, 'classifier');
  if (!existsSync(`${classifier}.safetensors`))
    run('scripts/pretrain-emoji.ts', '--adapter', adapter, '--out', classifier);
  const folder = join(out, 'pictures');
  const model = join(folder, 'model.safetensors');
  if (!existsSync(model)) {
    const words = existsSync(join(folder, 'log.jsonl'))
      ? ['--resume', folder]
      : ['--config', join(root, 'configs/demo/start.json'), '--weights', `${classifier}.safetensors`, '--out', folder];
    run('src/cli/main.ts', 'train', ...words, '--adapter', adapter);
    // A run that was stopped ends well too.
    if (!existsSync(model)) throw new Error(`${folder}: the training has not ended; the same command goes on with it`);
  }
  return model;
}

/**
 * The model with heads for the emoji's seen classes. A class's row is the mean of its pictures' embeddings, of unit
 * length; the teacher says the same of an embedding, so that the demo begins with knowledge that it can preserve.
 */
async function withEmojiHeads(file: ModelFile, name: string): Promise<Pick<ModelFile, 'state' | 'about' | 'tables'>> {
  const device = await openDevice('auto', { unsafe: true });
  const model = openRetrievalModel(device, file, name);
  const { settings, ...input } = readModelDescription(file, name);
  const dataset = await loadEmoji({ size: model.imageSize });
  const photos = dataset.train.filter(({ domain }) => domain === 'photo');
  const rows = await modelEmbeddings(model);
  const embeddings = await rows.compute(photos, dataset.images);
  const { width } = rows;
  rows.destroy();
  model.storage.destroy();
  device.dispose();

  const classes = dataset.seenClasses;
  const labels = Uint32Array.from(photos, ({ className }) => classes.indexOf(className));
  const unit = (row: Float32Array): Float32Array => row.map((value) => value / Math.hypot(...row));
  const lengths = photos.map((_, photo) => Math.hypot(...embeddings.subarray(photo * width, (photo + 1) * width)));
  const means = new Float32Array(classes.length * width);
  photos.forEach((_, photo) =>
    unit(embeddings.slice(photo * width, (photo + 1) * width)).forEach(
      (value, index) => (means[labels[photo] * width + index] += value),
    ),
  );
  for (let label = 0; label < classes.length; label++)
    means.set(unit(means.slice(label * width, (label + 1) * width)), label * width);

  const knowledge = new ClassKnowledge(classes.length, classes.length, DEFAULT_READING);
  photos.forEach((_, photo) => {
    const embedding = embeddings.subarray(photo * width, (photo + 1) * width);
    const cosines = Float32Array.from(
      classes,
      (_name, label) =>
        embedding.reduce((sum, value, index) => sum + value * means[label * width + index], 0) / lengths[photo],
    );
    knowledge.add(
      cosines.map((cosine) => cosine / COSINE_TEMPERATURE),
      labels.subarray(photo, photo + 1),
    );
  });
  // The teacher's head is linear in an embedding that is not normalized.
  const scale = 1 / (COSINE_TEMPERATURE * (lengths.reduce((sum, length) => sum + length, 0) / lengths.length));
  const heads: [string, StateTensor][] = [
    ['classifier.weight', { shape: [classes.length, width], values: means }],
    ['teacher.weight', { shape: [classes.length, width], values: means.map((value) => value * scale) }],
    ['teacher.bias', { shape: [classes.length], values: new Float32Array(classes.length) }],
  ];
  const trunk = [...file.state].filter(([tensor]) => !/^(classifier|teacher)\./.test(tensor));
  const network = { ...settings, classes: classes.length, teacherClasses: classes.length };
  return {
    state: new Map([...trunk, ...heads]),
    about: {
      ...describeModel(network, input),
      classes: [...classes],
      unseenClasses: [...dataset.unseenClasses],
      settings: file.about.settings ?? null,
    } as Record<string, Json>,
    tables: new Map([[KNOWLEDGE, { shape: [classes.length, classes.length], values: knowledge.table() }]]),
  };
}

/** Runs a program of this repository and ends with it where it fails. */
function run(program: string, ...words: string[]): void {
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', join(root, program), ...words], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
