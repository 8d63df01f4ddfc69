import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseBenchOptions, positiveIntegers } from '../../bench/support/options.ts';

test('without arguments: every kernel, at batch 16 and 64 pixels', () => {
  const options = parseBenchOptions([]);
  assert.equal(options.kernels, []);
  assert.equal(options.work, { batch: 16, size: 64 });
  assert.is(options.adapter, 'auto');
  assert.is(options.json, undefined);
  assert.is(options.maxRounds, undefined);
});

test('kernels, filters and numbers', () => {
  const options = parseBenchOptions([
    'relu',
    'convolution',
    '--shape',
    'layer1',
    '--shape',
    'stem',
    '--variant',
    'tiled',
    '--batch',
    '8',
    '--size',
    '224',
    '--adapter',
    'swiftshader',
    '--time',
    '1.5',
    '--rounds',
    '7',
  ]);
  assert.equal(options.kernels, ['relu', 'convolution']);
  assert.equal(options.shapes, ['layer1', 'stem']);
  assert.is(options.variant, 'tiled');
  assert.equal(options.work, { batch: 8, size: 224 });
  assert.is(options.adapter, 'swiftshader');
  assert.is(options.seconds, 1.5);
  assert.is(options.maxRounds, 7);
});

test('--json takes a file or stands for standard output, wherever it is', () => {
  assert.is(parseBenchOptions(['--json', 'out.json']).json, 'out.json');
  assert.is(parseBenchOptions(['--json=out.txt']).json, 'out.txt');
  const alone = parseBenchOptions(['--json', 'relu']);
  assert.is(alone.json, true);
  assert.equal(alone.kernels, ['relu']);
  assert.is(parseBenchOptions(['relu', '--json']).json, true);
  assert.is(parseBenchOptions(['--json', '--batch', '4']).json, true);
});

test('a wrong option is refused by name', () => {
  assert.throws(() => parseBenchOptions(['--batch', '0']), /--batch 0/);
  assert.throws(() => parseBenchOptions(['--batch', '1.5']), /--batch 1.5: a whole number/);
  assert.throws(() => parseBenchOptions(['--time', 'long']), /--time long/);
  assert.throws(() => parseBenchOptions(['--adapter', 'cuda']), /--adapter cuda: choose one of auto, gpu/);
  assert.throws(() => parseBenchOptions(['--shapes', 'x']), /--shapes/);
  assert.throws(() => parseBenchOptions(['--processor-time', '--against', '..']), /--processor-time and --against/);
  assert.throws(() => parseBenchOptions(['--compare', 'a.json', '--against', '..']), /--compare and --against exclude/);
});

test('a list of numbers', () => {
  assert.equal(positiveIntegers('batch', '1,8,32'), [1, 8, 32]);
  assert.throws(() => positiveIntegers('batch', '1,,32'), /--batch/);
});

test.run();
