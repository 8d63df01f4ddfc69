import path from 'node:path';
import { ensureAdapter } from '../../platform/adapter.ts';
import { stepsPerEpoch } from '../../training/recipe.ts';
import { trainRetrieval } from '../../training/run.ts';
import type { TrainedRetrieval } from '../../training/run-options.ts';
import { defineCommand } from '../command.ts';
import { openData } from '../files/data.ts';
import { closeCommandDevice, openCommandDevice, checkPrecision } from '../device.ts';
import { OptionError, resolveOptions } from '../options/option.ts';
import { formatSeconds, note, printText } from '../display/progress.ts';
import { findResumable, RunFolder, timestamp } from '../files/run-folder.ts';
import { checkTuning, openTuner } from '../tuning.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { TrainingDisplay } from '../display/training-display.ts';
import { asOptionError, trainingOf } from '../training/settings.ts';
import { withKnowledgeSettings, readKnowledge, readStart, readTeacher, optionsFromWeights } from '../training/start.ts';
import { resolveResumed, storedOptions } from '../training/resumed-options.ts';
import { stopOnSignal } from '../stop-signal.ts';
import { writeProfile } from '../training/profile.ts';

export const trainCommand = defineCommand({
  name: 'train',
  summary: 'Train a retrieval network. Ctrl-C saves, --resume continues',
  options: TRAIN_OPTIONS,
  async run(_options, { given }) {
    const found = given.resume === undefined ? undefined : await findResumable(given.resume as string);
    const checkpoint = found !== undefined && 'checkpoint' in found ? found.checkpoint : undefined;
    // A run that was killed before its first checkpoint begins again, with the options that it was given.
    const restart = found !== undefined && 'options' in found ? found : undefined;
    const begun =
      found === undefined
        ? undefined
        : resolveResumed(
            given,
            checkpoint?.file.about.options ?? restart?.options,
            checkpoint?.name ?? restart?.folder,
          );
    const weights = checkpoint === undefined ? await readStart(begun ?? given) : undefined;
    const resolved =
      begun ?? resolveOptions(TRAIN_OPTIONS, given, weights === undefined ? {} : optionsFromWeights(weights, given));
    const knowledge =
      resolved.knowledge !== undefined && checkpoint === undefined
        ? await readKnowledge(resolved.knowledge)
        : undefined;
    const options = withKnowledgeSettings(resolved, knowledge, given);
    if (given.steps !== undefined && given.epochs !== undefined)
      throw new OptionError('--steps and --epochs were both given; give one of them');
    checkTuning(options);
    await ensureAdapter(options.adapter);

    const runFolder =
      restart?.folder ??
      (checkpoint === undefined ? path.join('runs', `train-${timestamp()}`) : path.dirname(checkpoint.name));
    const folder = await RunFolder.open(options.out ?? runFolder, { keep: options.keep, fresh: found === undefined });
    const start = weights && {
      file: weights.file,
      name: options.weights as string,
      unused: weights.pretrained?.unused,
    };
    const teacher = await readTeacher(options, checkpoint !== undefined);
    const dataset = await openData({ ...options, imageSize: options.size });
    const epoch = stepsPerEpoch(dataset, options);
    const training = trainingOf(options, options.steps ?? options.epochs * epoch, epoch);

    const device = await openCommandDevice(options.adapter);
    const display = new TrainingDisplay(training);
    const stop = stopOnSignal();
    try {
      checkPrecision(device, options.precision);
      await folder.prepare();
      if (checkpoint === undefined) folder.log({ event: 'options', options: storedOptions(options) });
      if (restart !== undefined)
        note(`${restart.folder} holds no checkpoint: the run begins again, with the options that it was given`);
      const repaired = checkpoint && (await folder.repair(checkpoint.file));
      if (repaired?.note !== undefined) note(repaired.note);
      note(
        `${device.description.device}: ${dataset.name}, ${dataset.train.length} images of ${dataset.seenClasses.length} seen classes, ${training.imageSize} px`,
      );
      if (dataset.validation.length === 0)
        note('no sketch is held out for validation (--validation), so there will be no best checkpoint');
      const trained = await trainRetrieval({
        device,
        selector: await openTuner(device, options),
        dataset,
        training,
        start,
        teacher,
        knowledge: knowledge && { file: knowledge, name: options.knowledge as string },
        resume: repaired && { file: repaired.file, name: checkpoint!.name },
        validateEvery: options.validateEvery,
        checkpointEvery: options.checkpointEvery,
        about: { options: storedOptions(options) },
        signal: stop.signal,
        memoryBudget: options.memoryBudget,
        microBatches: options.accumulate,
        profile: options.profile !== undefined,
        onCheckpoint: (saved) => folder.save(saved),
        onProgress: display.onProgress,
        onLog: (entry) => {
          folder.log(entry);
          display.onLog(entry);
        },
      }).catch(asOptionError);
      display.stop();
      if (options.profile !== undefined) await writeProfile(options.profile, device, trained);
      conclude(trained, folder);
      trained.model.storage.destroy();
    } finally {
      display.stop();
      stop.release();
      await folder.release();
      closeCommandDevice(device);
    }
  },
});

function conclude({ file, stepsDone, stopped, deviceBusy, seconds }: TrainedRetrieval, folder: RunFolder): void {
  const { steps, validation, checkpoints, preparation } = seconds;
  const lines = [
    `weights after ${stepsDone} steps: checksum ${file.checksum}`,
    `time: preparation ${formatSeconds(preparation)}, steps ${formatSeconds(steps)}, validation ${formatSeconds(validation)}, checkpoints ${formatSeconds(checkpoints)}; the device had work in ${(100 * deviceBusy).toFixed(1)} % of the steps' time`,
    stopped
      ? `stopped; continue with: sketchgrad train --resume ${folder.path}`
      : `model: ${folder.file('model.safetensors')}`,
  ];
  printText(`${lines.join('\n')}\n`);
}
