import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseModel } from '../../src/models/model-file.ts';
import { testDevice } from '../support/device.ts';
import { writeShapes } from '../support/shapes-folder.ts';

test('examples/train.ts trains and measures in a process of its own', async () => {
  await testDevice();
  const folder = mkdtempSync(path.join(tmpdir(), 'sketchgrad-example-'));
  try {
    await writeShapes(path.join(folder, 'shapes'));
    const example = fileURLToPath(new URL('../../examples/train.ts', import.meta.url));
    const tsx = createRequire(import.meta.url).resolve('tsx');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', tsx, example, 'shapes', '3', '32', '0.25'],
      { cwd: folder, encoding: 'utf8' },
    );
    assert.is(status, 0, stderr);
    assert.match(
      stdout,
      /step 0: loss \d.*\nstep 1: .*\nstep 2: .*\nunseen classes: mAP@all [01]\.\d{4} over 6 queries/,
    );
    const { about } = await parseModel(readFileSync(path.join(folder, 'model.safetensors')), 'model');
    assert.is(about.kind, 'retrieval');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
