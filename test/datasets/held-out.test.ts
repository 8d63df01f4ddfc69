import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { emojiClasses } from '../../datasets/emoji.ts';
import { HELD_OUT_NOUNS, heldOutClass, unseenClassesOf } from '../../datasets/held-out.ts';

const classes = await emojiClasses();
const unseen = classes.filter(({ split }) => split === 'unseen').map(({ name }) => name);

test('every unseen emoji class has its nouns, and no other class has', () => {
  assert.equal(Object.keys(HELD_OUT_NOUNS.classes).sort(), [...unseen].sort());
  for (const [name, nouns] of Object.entries(HELD_OUT_NOUNS.classes)) assert.ok(nouns.length > 0, name);
});

test('an unseen class is held out by its own name, and by each of its nouns, in the plural and as part of a phrase', () => {
  for (const name of unseen) assert.type(heldOutClass(name), 'string', name);
  for (const [name, nouns] of Object.entries(HELD_OUT_NOUNS.classes)) {
    for (const noun of nouns) {
      if (noun.startsWith('=')) assert.type(heldOutClass(noun.slice(1)), 'string', noun);
      else
        for (const written of [noun, `${noun}-outline`, `big ${noun}`, noun.toUpperCase().replaceAll(' ', '_')])
          assert.type(heldOutClass(written), 'string', `${written}, of ${name}`);
    }
  }
});

test('names that icon sets and drawings use for unseen things are held out', () => {
  for (const name of [
    'school bus',
    'police car',
    'key',
    'bunny',
    'mdi-email-outline',
    'cruise ship',
    'ice-cream-cone',
    'chat-mail',
    'bees',
    'knives',
    'football-helmet',
    'sneakers',
    'lightning-bolt',
    'telephone',
    'home-heart',
    'moon-stars',
    'polar bear',
  ]) {
    assert.type(heldOutClass(name), 'string', name);
  }
});

test('other things pass, also where their names are alike', () => {
  for (const name of [
    'teddy-bear',
    'house plant',
    'hot air balloon',
    'cell phone',
    'computer mouse',
    'lighthouse',
    'business',
    'hand saw',
    'watermelon',
    'eggs',
    'mountain',
    'wine glass',
    'battery',
    'cat',
  ]) {
    assert.is(heldOutClass(name), undefined, name);
  }
  assert.is(heldOutClass('teddy bear with a bear'), 'bear', 'an exception excuses its own words only');
  assert.is(heldOutClass('glass'), 'tumbler glass');
  assert.is(heldOutClass('glass cutter'), undefined, 'a noun with = is held out as the whole name only');
});

test('a word that names an unseen class as a whole finds it, by synonyms too', () => {
  assert.equal(unseenClassesOf('bee'), ['honeybee']);
  assert.equal(unseenClassesOf('Rabbit'), ['rabbit']);
  assert.equal(unseenClassesOf('moon').sort(), ['crescent moon', 'full moon', 'new moon face']);
  assert.equal(unseenClassesOf('hot-air_balloon'), []);
  assert.equal(unseenClassesOf('giraffe'), []);
});

test.run();
