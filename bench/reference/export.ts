// Writes all that decides a training's numbers into a folder that bench/reference/train.py reads: the very images,
// batches, augmentations, starting weights and knowledge that `sketchgrad train` would use with the same flags.
//
//   npx tsx bench/reference/export.ts FOLDER --config FILE --data DIR ... (the flags of sketchgrad train)
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openData } from '../../src/cli/files/data.ts';
import { defineCommand } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { resolveOptions } from '../../src/cli/options/option.ts';
import { TRAIN_OPTIONS } from '../../src/cli/options/training.ts';
import { trainingOf } from '../../src/cli/training/settings.ts';
import { withKnowledgeSettings, readKnowledge, readStart, optionsFromWeights } from '../../src/cli/training/start.ts';
import { augmentationTransforms } from '../../src/data/augmentation.ts';
import { type Dataset, type Sample, DOMAIN_INDEX } from '../../src/data/dataset.ts';
import { balancedSampler } from '../../src/data/sampler.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import { serializeModel } from '../../src/models/model-file.ts';
import { stepsPerEpoch } from '../../src/training/recipe.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import { learningRateAt, ramp } from '../../src/training/schedule.ts';

const DECODED_AT_A_TIME = 64;

const exportCommand = defineCommand({
  name: 'export',
  summary: 'Write a training for bench/reference/train.py',
  options: TRAIN_OPTIONS,
  positionals: { name: 'folder', help: 'Where to' },
  async run(_options, { given, positionals: [folder] }) {
    const weights = await readStart(given);
    const resolved = resolveOptions(
      TRAIN_OPTIONS,
      given,
      weights === undefined ? {} : optionsFromWeights(weights, given),
    );
    const knowledge =
      resolved.knowledge === undefined
        ? undefined
        : { file: await readKnowledge(resolved.knowledge), name: resolved.knowledge };
    const options = withKnowledgeSettings(resolved, knowledge?.file, given);
    await ensureAdapter(options.adapter);
    await mkdir(folder, { recursive: true });
    const dataset = await openData({ ...options, imageSize: options.size });
    const epoch = stepsPerEpoch(dataset, options);
    const training = trainingOf(options, options.steps ?? options.epochs * epoch, epoch);
    const start = weights && { file: weights.file, name: options.weights as string };

    const device = await openDevice(options.adapter, { unsafe: true });
    // No step of a training is its beginning, the teacher's knowledge included.
    const { model, file } = await trainRetrieval({
      device,
      dataset,
      start,
      knowledge,
      training: { ...training, steps: 0 },
    });
    model.storage.destroy();
    device.dispose();
    releaseGpu();
    await writeFile(
      path.join(folder, 'start.safetensors'),
      await serializeModel({ state: file.state, about: {}, tables: file.tables }),
    );

    const order = [...dataset.train, ...dataset.queries, ...dataset.gallery];
    await writeImages(path.join(folder, 'images.u8'), order, dataset, training.imageSize);
    const { classesPerBatch, imagesPerDomain, seed, imageSize, steps, losses, schedule, augmentation } = training;
    const sampler = balancedSampler(dataset, { classesPerBatch, imagesPerDomain, seed });
    const place = new Map(order.map(({ name }, index) => [name, index]));
    await writeFile(path.join(folder, 'batches.u32'), new Uint8Array());
    await writeFile(path.join(folder, 'transforms.f32'), new Uint8Array());
    for (let step = 0; step < steps; step++) {
      const { samples, domains } = sampler.batch(step);
      await appendFile(
        path.join(folder, 'batches.u32'),
        bytesOf(Uint32Array.from(samples, ({ name }) => place.get(name) as number)),
      );
      await appendFile(
        path.join(folder, 'transforms.f32'),
        bytesOf(
          augmentationTransforms(domains, { seed, step, sourceSize: imageSize, outputSize: imageSize, augmentation }),
        ),
      );
    }
    const labels = new Map([...dataset.seenClasses, ...dataset.unseenClasses].map((name, index) => [name, index]));
    const work = {
      data: dataset.name,
      training,
      classes: dataset.seenClasses.length,
      counts: { train: dataset.train.length, queries: dataset.queries.length, gallery: dataset.gallery.length },
      batch: sampler.batchSize,
      labels: order.map(({ className }) => labels.get(className)),
      domains: order.map(({ domain }) => DOMAIN_INDEX[domain]),
      learningRates: Array.from({ length: steps }, (_, step) => learningRateAt(schedule, step, steps)),
      quadrupletWeights: Array.from(
        { length: steps },
        (_, step) => losses.quadruplet * ramp(step, losses.quadrupletStart, losses.quadrupletRamp),
      ),
    };
    await writeFile(path.join(folder, 'work.json'), `${JSON.stringify(work)}\n`);
    process.stdout.write(
      `${folder}: ${steps} steps of ${sampler.batchSize}, ${order.length} images of ${imageSize} px\n`,
    );
  },
});

async function writeImages(file: string, samples: readonly Sample[], { images }: Dataset, size: number): Promise<void> {
  await writeFile(file, new Uint8Array());
  for (let first = 0; first < samples.length; first += DECODED_AT_A_TIME) {
    const decoded = await Promise.all(
      samples.slice(first, first + DECODED_AT_A_TIME).map((sample) => images.read(sample, size)),
    );
    await appendFile(file, Buffer.concat(decoded));
  }
}

const bytesOf = (values: Uint32Array | Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

process.exitCode = await runCommandLine(['export', ...process.argv.slice(2)], [exportCommand as never]);
