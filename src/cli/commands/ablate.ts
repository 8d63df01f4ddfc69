import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ensureAdapter } from '../../platform/adapter.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { Lock } from '../../platform/node/lock.ts';
import { ABLATION } from '../../training/ablation.ts';
import type { Json } from '../../models/model-file.ts';
import { contentsFingerprint, fingerprint } from '../../training/fingerprint.ts';
import { stepsPerEpoch } from '../../training/recipe.ts';
import { defineCommand } from '../command.ts';
import { openData } from '../files/data.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { choice, text } from '../options/kinds.ts';
import { OptionError, resolveOptions } from '../options/option.ts';
import { note } from '../display/progress.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { stopOnSignal } from '../stop-signal.ts';
import { trainingOf } from '../training/settings.ts';
import { withKnowledgeSettings, readKnowledge, readStart, readTeacher, optionsFromWeights } from '../training/start.ts';
import { checkTuning, openTuner } from '../tuning.ts';
import { encode, resultFile, resultIn, requireSameAblation, conclude } from '../report/ablation-results.ts';
import { pairsOf, knowledgeFor, trainedMetrics, untrainedMetrics, type Work } from '../training/ablation-work.ts';

export const ABLATE_OPTIONS = {
  ...TRAIN_OPTIONS,
  out: text({
    placeholder: 'folder',
    default: 'runs/ablation',
    changeable: true,
    help: 'The folder of runs and tables. An ablation that was stopped or killed continues from it',
  }),
  seeds: text({
    placeholder: 'list',
    default: '1,2,3',
    changeable: true,
    help: 'Seeds of the trainings, separated by commas; --seed is that of the data',
  }),
  select: choice(['best', 'last'], {
    default: 'best',
    help: 'Measure the best weights on held-out sketches of seen classes, or the last weights',
  }),
} as const;

export const ablateCommand = defineCommand({
  name: 'ablate',
  summary:
    'Measure the effect of each loss: frozen features, classification, + quadruplet, + preservation, over several seeds',
  options: ABLATE_OPTIONS,
  async run(_options, { given: typed }) {
    const weights = await readStart(typed);
    const resolved = resolveOptions(
      ABLATE_OPTIONS,
      typed,
      weights === undefined ? {} : optionsFromWeights(weights, typed),
    );
    checkTuning(resolved);
    const prepared =
      resolved.knowledge === undefined
        ? undefined
        : { file: await readKnowledge(resolved.knowledge), name: resolved.knowledge };
    const options = withKnowledgeSettings(resolved, prepared?.file, typed);
    if (resolved.resume !== undefined)
      throw new OptionError('--resume: an ablation continues when its folder is given again (--out)');
    const seeds = seedsOf(options.seeds);
    await ensureAdapter(options.adapter);
    const start = weights && {
      file: weights.file,
      name: options.weights as string,
      unused: weights.pretrained?.unused,
    };
    const teacher = await readTeacher(options);
    const dataset = await openData({ ...options, imageSize: options.size });
    const epoch = stepsPerEpoch(dataset, options);
    const training = trainingOf(options, options.steps ?? options.epochs * epoch, epoch);
    const folder = path.resolve(options.out);
    await mkdir(folder, { recursive: true });
    await requireSameAblation(folder, {
      training: JSON.parse(JSON.stringify(training)) as Json,
      data: {
        trained: await fingerprint([...dataset.train, ...dataset.validation]),
        searched: await fingerprint([...dataset.queries, ...dataset.gallery]),
        contents:
          (await contentsFingerprint(
            [...dataset.train, ...dataset.validation, ...dataset.queries, ...dataset.gallery],
            dataset.images,
          )) ?? null,
      },
      start: start?.file.checksum ?? null,
      select: options.select,
    });

    const device = await openCommandDevice(options.adapter);
    const stop = stopOnSignal();
    let lock: Lock | undefined;
    try {
      lock = await Lock.take(path.join(folder, 'ablation.lock'));
      const work: Work = {
        device,
        selector: await openTuner(device, options),
        dataset,
        training,
        start,
        teacher,
        folder,
        options,
        signal: stop.signal,
      };
      const knowledge = prepared ?? (await knowledgeFor(work));
      const teaches = knowledge !== undefined || training.teacher.kind === 'online';
      if (!teaches)
        note(
          'there is no teacher (a classifier in --weights or --teacher, or --knowledge), so the last step, + preservation, is left out',
        );
      const steps = ABLATION.filter(({ name }) => name !== '+ preservation' || teaches);
      for (const [step, seed] of pairsOf(steps, seeds, start !== undefined, training)) {
        if (await resultIn(folder, step, seed)) continue;
        note(`\n${step.name}, seed ${seed}: ${step.what}`);
        const metrics = step.trained
          ? await trainedMetrics(work, step, seed, knowledge)
          : await untrainedMetrics(work, step, seed);
        if (metrics === undefined) {
          note(`stopped; run the same command again to continue`);
          return;
        }
        await writeFileAtomically(
          resultFile(folder, step, seed),
          encode(`${JSON.stringify({ step: step.name, seed, metrics }, null, 1)}\n`),
        );
      }
      await conclude(folder, seeds, {
        adapter: device.description.device,
        data: dataset.name,
        queries: dataset.queries.length,
        gallery: dataset.gallery.length,
        training: JSON.parse(JSON.stringify(training)) as Json,
        start: start?.name ?? null,
      });
    } finally {
      stop.release();
      await lock?.release();
      closeCommandDevice(device);
    }
  },
});

function seedsOf(typed: string): number[] {
  const seeds = typed.split(',').map((word) => Number(word.trim() === '' ? NaN : word));
  if (seeds.some((seed) => !Number.isInteger(seed) || seed < 0 || seed > 0xffffffff))
    throw new OptionError(
      `--seeds: whole numbers from 0 to 4294967295, separated by commas, are needed, and it is "${typed}"`,
    );
  return [...new Set(seeds)];
}
