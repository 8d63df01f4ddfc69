import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { ensureAdapter } from '../../platform/adapter.ts';
import { removeLeftovers, writeFileAtomically } from '../../platform/node/files.ts';
import { Lock } from '../../platform/node/lock.ts';
import { distill } from '../../training/distillation.ts';
import {
  parsePartialKnowledge,
  serializeKnowledge,
  serializePartialKnowledge,
  type Knowledge,
  type PartialKnowledge,
} from '../../training/knowledge-file.ts';
import { EMBEDDING_BATCH } from '../../models/image-rows.ts';
import type { StartingWeights } from '../../training/weights.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS, TUNING_OPTIONS } from '../options/shared.ts';
import { openData } from '../files/data.ts';
import { DATA_OPTIONS, VALIDATION_OPTION } from '../options/data.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { WEIGHTS_OPTIONS } from '../options/model.ts';
import { integer, text } from '../options/kinds.ts';
import { resolveOptions } from '../options/option.ts';
import { note, printText, Progress } from '../display/progress.ts';
import { recipeOf } from '../options/setting.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { asTeacher, readStart, optionsFromWeights } from '../training/start.ts';
import { checkTuning, openTuner } from '../tuning.ts';

const { seed, size, backbone, width, stride, batchNormEpsilon, teacherMean, teacherTemperature, teacherPhotos } =
  TRAIN_OPTIONS;

export const DISTILL_OPTIONS = {
  weights: text({
    placeholder: 'file',
    required: true,
    help: "The teacher: weights with a classifier, such as torchvision's resnet50 (.safetensors, .pth, .pt, .bin)",
  }),
  out: text({
    placeholder: 'file',
    default: 'knowledge.safetensors',
    help: 'The output file, for sketchgrad train --knowledge',
  }),
  ...DATA_OPTIONS,
  validation: VALIDATION_OPTION,
  seed,
  teacherMean,
  teacherTemperature,
  teacherPhotos,
  size,
  backbone,
  width,
  stride,
  batchNormEpsilon,
  ...WEIGHTS_OPTIONS,
  batch: integer({ minimum: 1, default: EMBEDDING_BATCH, help: 'Photos that the teacher sees at once' }),
  saveEvery: integer({ minimum: 1, default: 16, help: 'Batches between two saves, from which a killed run continues' }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const distillCommand = defineCommand({
  name: 'distill',
  summary: "Compute a teacher's knowledge of each class once. A killed run continues where it stopped",
  options: DISTILL_OPTIONS,
  alsoConfigured: TRAIN_OPTIONS,
  async run(_options, { given }) {
    const weights = (await readStart(given)) as StartingWeights;
    const options = resolveOptions(DISTILL_OPTIONS, given, optionsFromWeights(weights, given));
    checkTuning(options);
    await ensureAdapter(options.adapter);
    const { out } = options;
    const recipe = recipeOf(DISTILL_OPTIONS, options);
    const folder = path.dirname(path.resolve(out));
    const teacher = { file: asTeacher(weights.file), name: options.weights };
    const dataset = await openData({ ...options, imageSize: options.size });
    const state = `${out}.partial`;
    const device = await openCommandDevice(options.adapter);
    const progress = new Progress('teacher');
    let lock: Lock | undefined;
    try {
      lock = await Lock.take(`${path.resolve(out)}.lock`, out);
      await removeLeftovers(folder);
      const begun = await readState(state);
      const knowledge = await distill({
        device,
        selector: await openTuner(device, options),
        dataset,
        teacher,
        network: recipe.network,
        settings: {
          reading: recipe.teacher.reading,
          photosPerClass: recipe.teacher.photosPerClass,
          seed: recipe.seed,
          imageSize: recipe.imageSize,
          pixels: recipe.pixels,
          batchSize: options.batch,
        },
        begun,
        stateEvery: options.saveEvery,
        onStart: (done) => {
          if (begun !== undefined)
            note(
              done > 0 ? `continuing after ${done} photos` : `${state} is of another distillation, which starts again`,
            );
        },
        onPartial: (partial) => writeFileAtomically(state, serializePartialKnowledge(partial)),
        onProgress: (done, total) => progress.update(done, total),
      });
      progress.stop();
      await writeFileAtomically(out, serializeKnowledge(knowledge));
      await rm(state, { force: true });
      printText(`${describeKnowledge(knowledge, out)}\n`);
    } finally {
      progress.stop();
      await lock?.release();
      closeCommandDevice(device);
    }
  },
});

async function readState(file: string): Promise<PartialKnowledge | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes && parsePartialKnowledge(bytes, file);
}

function describeKnowledge({ classes, table, counts, origin: { teacher, reading } }: Knowledge, file: string): string {
  const photos = counts.reduce((sum, count) => sum + count, 0);
  return [
    `${file}: ${classes.length} classes x ${table.shape[1]} of the teacher's, from ${photos} photos, each seen once`,
    `read as the mean of its ${reading.mean === 'softmax' ? 'softmax outputs' : 'logits'} at temperature ${reading.temperature}; teacher ${teacher}`,
  ].join('\n');
}
