import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readTuningRecords, writeTuningRecords } from '../../src/platform/node/tuning-records.ts';
import type { Device } from '../../src/gpu/device.ts';
import {
  adapterIdentity,
  emptyRecords,
  parseRecords,
  serializeRecords,
  type ChoiceRecord,
  type TuningRecords,
} from '../../src/tuning/records.ts';

const device = { description: { vendor: 'v', architecture: 'a', device: 'd', description: 'driver 1' } } as Device;
const adapter = adapterIdentity(device.description);
const proven = (...digests: string[]): string[] => digests.map((digit) => digit.repeat(16));

function sample(): TuningRecords {
  return {
    adapter,
    proven: new Set(proven('a', '0')),
    choices: new Map<string, ChoiceRecord>([
      ['scale {"count":2}', { variant: 'f32', code: 'c0de', effort: 'full', milliseconds: { f32: 0.5, vec4f: 0.25 } }],
      ['add {"count":1}', { variant: 'vec4f', code: 'c0de', effort: 'quick', milliseconds: {} }],
    ]),
  };
}

let folder: string;
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-tuning-'));
});
test.after(() => rm(folder, { recursive: true }));

test('records come back as they were', () => {
  assert.equal(parseRecords(serializeRecords(sample()), adapter), { records: sample() });
});

test('what is not as it should be is left out, and told', () => {
  const refused = (text: string, note: RegExp): void => {
    const { records, note: told } = parseRecords(text, adapter);
    assert.equal(records, emptyRecords(adapter));
    assert.match(told ?? '', note);
  };
  const text = serializeRecords(sample());
  refused('', /no JSON/);
  refused(text.slice(0, -20), /no JSON/);
  refused('null', /format/);
  refused(text.replace('tuning 1', 'tuning 99'), /format/);
  refused(text.replace('driver 1', 'driver 2'), /another adapter or driver, .*driver 2/);
  refused(JSON.stringify({ ...JSON.parse(text), proven: 'all' }), /missing/);

  const damaged = JSON.parse(text) as { proven: unknown[]; choices: Record<string, unknown> };
  damaged.proven.push('short', 7);
  damaged.choices['relu {}'] = { variant: 7 };
  damaged.choices['scale {"count":2}'] = {
    variant: 'f32',
    code: 'c0de',
    effort: 'full',
    milliseconds: { f32: 'fast' },
  };
  const { records, note } = parseRecords(JSON.stringify(damaged), adapter);
  assert.match(note ?? '', /4 of its entries are damaged/);
  assert.equal([...records.choices.keys()], ['add {"count":1}']);
  assert.equal(records.proven, sample().proven);
});

test('a file is written whole, and grows by what another process found meanwhile', async () => {
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  const file = path.join(folder, 'new', 'records.json');
  assert.equal(await readTuningRecords(device, note, file), emptyRecords(adapter), 'no file, no note');
  await writeTuningRecords(device, sample(), note, file);
  const other = { ...emptyRecords(adapter), proven: new Set(proven('b')) };
  await writeTuningRecords(device, other, note, file);
  const { choices, proven: digests } = await readTuningRecords(device, note, file);
  assert.equal(choices, sample().choices);
  assert.equal([...digests].sort(), proven('0', 'a', 'b'));
  assert.equal(notes, []);
});

test('a damaged file is told of once and replaced; a folder in its place stops nobody', async () => {
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  const file = path.join(folder, 'damaged.json');
  await writeFile(file, '{"format": "sketchgrad tuning 1", "adap');
  const records = await readTuningRecords(device, note, file);
  assert.match(notes[0], /damaged.json is left aside where .*no JSON/);
  records.proven.add(proven('c')[0]);
  await writeTuningRecords(device, records, note, file);
  assert.is(notes.length, 1);
  assert.is(parseRecords(await readFile(file, 'utf8'), adapter).records.proven.size, 1);

  const blocked = path.join(folder, 'folder.json');
  await mkdir(blocked);
  await readTuningRecords(device, note, blocked);
  await writeTuningRecords(device, records, note, blocked);
  assert.match(notes[1], /folder.json cannot be read/);
  assert.match(notes[2], /folder.json cannot be written, so the next start verifies again/);
});

test.run();
