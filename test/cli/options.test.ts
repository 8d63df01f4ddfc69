import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { COMMANDS } from '../../src/cli/command-line.ts';
import type { Command } from '../../src/cli/command.ts';
import { nearest } from '../../src/cli/options/configuration.ts';
import { bytes, numbersByName } from '../../src/cli/options/kinds.ts';
import { optionName, shownFlag, type Option } from '../../src/cli/options/option.ts';
import { runCaptured } from '../support/command-output.ts';

let folder: string;
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-options-'));
});
test.after(() => rm(folder, { recursive: true }));

/** The command with its own options, which only tells what it was given. */
function recorder(command: Command): { readonly command: Command; readonly seen: Record<string, unknown>[] } {
  const seen: Record<string, unknown>[] = [];
  return { seen, command: { ...command, run: async (values) => void seen.push(values) } };
}

/** A value that the option takes and that is not its default. */
function otherValue(
  option: Option<unknown>,
): string | number | boolean | readonly (number | string)[] | Readonly<Record<string, number>> {
  if (option.placeholder === '') return true;
  const words = option.placeholder.split('|').reverse();
  const candidates = [7, 64, 96, 0.5, 1, [3, 5], ['some text'], { drawings: 3, icons: 0.5 }, ...words, 'some text'];
  const found = candidates.find((value) => {
    try {
      return option.check(value, '') !== option.default;
    } catch {
      return false;
    }
  });
  assert.ok(found !== undefined, option.help);
  return found!;
}

/** A value as it is typed behind its flag. */
const typed = (value: unknown): string =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value)
        .map((entry) => entry.join('='))
        .join(',')
    : String(value);

const positionalsOf = ({ positionals }: Command): string[] => (positionals === undefined ? [] : ['sketch.png']);

for (const command of COMMANDS) {
  test(`${command.name}: every flag and its key in a configuration give the same`, async () => {
    const wanted = Object.entries(command.options).map(([key, option]) => [key, otherValue(option)] as const);
    const flags = wanted.flatMap(([key, value]) =>
      value === true ? [`--${optionName(key)}`] : [`--${optionName(key)}`, typed(value)],
    );
    const config = path.join(folder, `${command.name}.json`);
    await writeFile(config, JSON.stringify(Object.fromEntries(wanted.map(([key, value]) => [optionName(key), value]))));
    const { command: recording, seen } = recorder(command);
    for (const words of [flags, ['--config', config]]) {
      const { code, stderr } = await runCaptured(
        [...command.name.split(' '), ...words, ...positionalsOf(command)],
        [recording],
      );
      assert.is(code, 0, stderr);
    }
    assert.equal(seen[0], Object.fromEntries(wanted));
    assert.equal(seen[1], seen[0]);
  });

  test(`${command.name} --help names every option with its default`, async () => {
    const { code, stdout } = await runCaptured([...command.name.split(' '), '--help']);
    assert.is(code, 0);
    const text = stdout.replace(/\s+/g, ' ');
    for (const [key, option] of Object.entries(command.options)) {
      assert.ok(text.includes(shownFlag(key, option)), key);
      assert.ok(text.includes(option.help), option.help);
      if (option.placeholder !== '' && option.default !== undefined)
        assert.ok(text.includes(`(default: ${String(option.default)})`), key);
    }
  });
}

test('flags win over the configuration, which wins over defaults', async () => {
  const config = path.join(folder, 'precedence.json');
  await writeFile(config, JSON.stringify({ seed: 3, 'classes-per-batch': 5, strict: true }));
  const { command, seen } = recorder(COMMANDS.find(({ name }) => name === 'train')!);
  await runCaptured(['train', '--config', config, '--seed', '4', '--no-strict'], [command]);
  const [{ seed, classesPerBatch, strict, size }] = seen;
  assert.equal({ seed, classesPerBatch, strict, size }, { seed: 4, classesPerBatch: 5, strict: false, size: 224 });
});

const refusals: readonly {
  readonly title: string;
  readonly words: readonly string[];
  readonly config?: string;
  readonly message: RegExp;
}[] = [
  {
    title: 'an unknown flag',
    words: ['train', '--leraning-rate', '1'],
    message: /--leraning-rate.*did you mean --learning-rate/is,
  },
  { title: 'an unknown command', words: ['trian'], message: /trian.*did you mean train/is },
  {
    title: 'an unknown key',
    words: ['train'],
    config: '{"clases-per-batch": 3}',
    message: /config.json: there is no option "clases-per-batch"; did you mean "classes-per-batch"\?/,
  },
  {
    title: 'a key of the wrong type',
    words: ['train'],
    config: '{"seed": "3"}',
    message: /config.json, seed: a whole number, at least 0.* is needed, and it is "3"/,
  },
  {
    title: 'a configuration that is no object',
    words: ['train'],
    config: '[1]',
    message: /config.json must hold one JSON object/,
  },
  { title: 'a configuration that is no JSON', words: ['train'], config: '{', message: /config.json is no JSON/ },
  {
    title: 'a missing configuration',
    words: ['train', '--config', '/nowhere.json'],
    message: /--config: \/nowhere.json cannot be read/,
  },
  {
    title: 'no number',
    words: ['train', '--learning-rate', 'fast'],
    message: /--learning-rate: a number, above 0 is needed, and it is "fast"/,
  },
  {
    title: 'a number out of bounds',
    words: ['train', '--size', '4'],
    message: /--size: a whole number, at least 32, at most 1024 is needed, and it is 4/,
  },
  {
    title: 'a word that is no choice',
    words: ['train', '--mining', 'gold'],
    message: /--mining: "gold" is none of hardest, semi-hard, random/,
  },
  {
    title: 'a budget that is no amount',
    words: ['train', '--memory-budget', '2 gigs'],
    message: /--memory-budget: a number of bytes is needed, such as 900M, 2G or 1.5GiB, and it is "2 gigs"/,
  },
  {
    title: 'no micro-batch',
    words: ['train', '--accumulate', '0'],
    message: /--accumulate: a whole number, at least 1 is needed, and it is 0/,
  },
  {
    title: 'a budget of nothing',
    words: ['train'],
    config: '{"memory-budget": 0}',
    message: /config.json, memory-budget: a number of bytes is needed/,
  },
  {
    title: 'cutoffs that are no counts',
    words: ['evaluate', '--cutoffs', '10,,20'],
    message: /--cutoffs: whole numbers above 0 are needed, such as 1,10,100,200, and it is "10,,20"/,
  },
  {
    title: 'a cutoff of 0 in a configuration',
    words: ['evaluate'],
    config: '{"cutoffs": [0]}',
    message: /config.json, cutoffs: whole numbers above 0 are needed/,
  },
  { title: 'a missing required flag', words: ['evaluate'], message: /--model is needed/ },
  { title: 'a missing argument', words: ['index', 'info'], message: /missing required argument 'folder'/ },
  { title: 'a search for nothing', words: ['search'], message: /the file of a sketch is needed, or --like/ },
  {
    title: 'both steps and epochs',
    words: ['train', '--steps', '3', '--epochs', '4'],
    message: /--steps and --epochs were both given/,
  },
];
for (const { title, words, config, message } of refusals) {
  test(`refused with exit code 1: ${title}`, async () => {
    const file = path.join(folder, 'config.json');
    if (config !== undefined) await writeFile(file, config);
    const { code, stderr } = await runCaptured(config === undefined ? words : [...words, '--config', file]);
    assert.is(code, 1);
    assert.match(stderr, message);
    assert.not.match(stderr, /\n\s+at /, 'no stack');
  });
}

test('an amount of memory is a number of bytes, or one with a unit', () => {
  const { parse, check } = bytes({ help: '' });
  for (const [typed, expected] of [
    ['900M', 900e6],
    ['2G', 2e9],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['64MB', 64e6],
    ['3Ki', 3072],
    ['12345', 12345],
  ] as const)
    assert.is(parse(typed, ''), expected, typed);
  assert.is(check(12345, ''), 12345);
  assert.is(check('2G', ''), 2e9);
});

test('--debug shows where an error arose, also out of the configuration', async () => {
  const file = path.join(folder, 'debug.json');
  await writeFile(file, JSON.stringify({ debug: true, steps: 3, epochs: 4 }));
  for (const words of [
    ['--debug', '--steps', '3', '--epochs', '4'],
    ['--config', file],
  ]) {
    const { stderr } = await runCaptured(['train', ...words]);
    assert.match(stderr, /OptionError: --steps and --epochs.*\n\s+at .*train\.ts/);
  }
});

test('the nearest word has the fewest letters to change', () => {
  assert.is(nearest('sead', ['size', 'seed', 'strict']), 'seed');
  assert.is(nearest('imagesPerDomain', ['images-per-domain', 'margin']), 'images-per-domain');
});

test('numbers by name are typed with = and commas, and are an object in a configuration', () => {
  const option = numbersByName({ help: '' });
  assert.equal(option.parse('drawings=3, icons=0.5', '--weights'), { drawings: 3, icons: 0.5 });
  assert.equal(option.check({ drawings: 0 }, 'weights'), { drawings: 0 });
  for (const typed of ['', 'drawings', 'drawings=', '=3', 'drawings=-1', 'drawings=x', 'drawings=1,icons'])
    assert.throws(() => option.parse(typed, '--weights'), /--weights: names with numbers/, typed);
  for (const value of [null, [], {}, { drawings: '3' }, { drawings: -1 }, { drawings: NaN }, 3])
    assert.throws(() => option.check(value, 'weights'), /weights: names with numbers/);
});

test.run();
