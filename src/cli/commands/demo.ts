import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureAdapter } from '../../platform/adapter.ts';
import { packageFile } from '../../platform/node/package-files.ts';
import { stepsPerEpoch } from '../../training/recipe.ts';
import { defineCommand } from '../command.ts';
import { SEED_OPTION, SHARED_OPTIONS, TUNING_OPTIONS } from '../options/shared.ts';
import { openData } from '../files/data.ts';
import { DEMO_RECIPE, DEMO_START, FULL_RECIPE } from '../training/demo-recipe.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { readModelFile, requireBackbone, requireWidth } from '../files/model-file.ts';
import { integer, text, toggle } from '../options/kinds.ts';
import { resolveOptions, type OptionValues } from '../options/option.ts';
import { PICTURE_SIZE } from '../display/retrieval-sheet.ts';
import { RunFolder, timestamp } from '../files/run-folder.ts';
import { checkTuning, openTuner } from '../tuning.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { storedOptions } from '../training/resumed-options.ts';
import { trainingOf } from '../training/settings.ts';
import { demonstrate } from '../training/demonstration.ts';

export const DEMO_OPTIONS = {
  full: toggle({ help: 'Full width at 224 px, for a GPU' }),
  weights: text({
    placeholder: 'file',
    help: `Starting weights, a classifier's or a model's (default: ${DEMO_START}, or random ones with --full)`,
  }),
  steps: integer({ minimum: 1, help: "Training steps, in place of the recipe's" }),
  seed: { ...SEED_OPTION, help: 'Seed of data order, augmentation and new weights' },
  out: text({ placeholder: 'folder', help: 'Where the report goes (default: runs/demo-<date>)' }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'Train on emoji and search unseen ones by sketch (npm start)',
  options: DEMO_OPTIONS,
  run: (options) => demo(options),
});

const CREDITS = [
  'Pictures: Noto Emoji and Noto Emoji v1, Google, Apache 2.0; FxEmojis, Mozilla, Apache 2.0; Fluent Emoji Flat, Microsoft, MIT.',
  'Sketches: Emoji One (Monotone), CC BY 4.0; outlines, with colours dropped, of Twemoji, Twitter, CC BY 4.0, of OpenMoji, CC BY-SA 4.0 (as are its outlines), and of Emoji One, CC BY 4.0.',
  'Packaged by Iconify. Class names: emojibase and Unicode CLDR.',
];

/** The whole job on the embedded data: evaluate, train, evaluate again, report. */
export async function demo(options: OptionValues<typeof DEMO_OPTIONS>): Promise<void> {
  checkTuning(options);
  await ensureAdapter(options.adapter);
  const recipe = resolveOptions(
    TRAIN_OPTIONS,
    { seed: options.seed, steps: options.steps, deterministic: options.deterministic },
    options.full ? FULL_RECIPE : DEMO_RECIPE,
  );
  const weights = options.weights ?? (options.full ? undefined : fileURLToPath(packageFile(DEMO_START)));
  const start = weights === undefined ? undefined : { file: await readModelFile(weights, '--weights'), name: weights };
  if (start !== undefined) {
    requireBackbone(start.file, start.name, recipe.backbone);
    requireWidth(start.file, start.name, recipe.width);
  }
  const folder = await RunFolder.open(options.out ?? path.join('runs', `demo-${timestamp()}`), {
    keep: 1,
    fresh: true,
  });

  const dataset = await openData({ ...recipe, imageSize: recipe.size });
  const training = trainingOf(recipe, recipe.steps ?? recipe.epochs * stepsPerEpoch(dataset, recipe));
  const device = await openCommandDevice(options.adapter);
  try {
    await demonstrate({
      device,
      selector: await openTuner(device, options),
      dataset,
      training,
      start,
      folder,
      pictures: () => openData({ ...recipe, imageSize: PICTURE_SIZE }),
      about: { options: storedOptions({ ...recipe, weights }) },
      credits: CREDITS,
    });
  } finally {
    await folder.release();
    closeCommandDevice(device);
  }
}
