import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { containsPhrase, nounOf, nounWords } from '../../datasets/nouns.ts';

test('a noun is the words of a name in the singular, without style, size, accents and case', () => {
  const cases: [name: string, noun: string][] = [
    ['house-plant-outline', 'house plant'],
    ['House Plants', 'house plant'],
    ['house_plant-24', 'house plant'],
    ['butterfly-20-filled', 'butterfly'],
    ['knives', 'knife'],
    ['mice', 'mouse'],
    ['teeth-24px', 'tooth'],
    ['cherries-bold-duotone', 'cherry'],
    ['piñata', 'pinata'],
    ['Rescue worker’s helmet', 'rescue worker helmet'],
    ['eyeglasses', 'eyeglasses'],
    ['camera-lens', 'camera lens'],
    ['two-tone-fish', 'fish'],
    ['two-hump camel', 'two hump camel'],
    ['3d-glasses', '3d glasses'],
    ['outline', ''],
    ['24', ''],
  ];
  for (const [name, noun] of cases) assert.is(nounOf(name), noun, name);
});

test('a phrase is found as whole words, in order', () => {
  const words = nounWords('school-bus-front');
  assert.ok(containsPhrase(words, ['bus']));
  assert.ok(containsPhrase(words, ['school', 'bus']));
  assert.not(containsPhrase(words, ['bus', 'school']));
  assert.not(containsPhrase(nounWords('business-card'), ['bus']));
});

test.run();
