import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkDataset, DatasetError, type Dataset, type Domain, type Sample } from '../../src/data/dataset.ts';

const sample = (domain: Domain, className: string, index = 0): Sample => ({
  domain,
  className,
  name: `${domain}/${className}/${index}`,
});
const sound: Dataset = {
  name: 'zoo',
  seenClasses: ['ant', 'bee'],
  unseenClasses: ['cat'],
  train: [sample('sketch', 'ant'), sample('photo', 'ant'), sample('sketch', 'bee'), sample('photo', 'bee')],
  validation: [sample('sketch', 'bee', 1)],
  queries: [sample('sketch', 'cat')],
  gallery: [sample('photo', 'cat')],
  images: { read: async () => new Uint8Array() },
};

test('a sound data set is returned as it is', () => {
  assert.is(checkDataset(sound), sound);
});

const mistakes: [string, Partial<Dataset>, RegExp][] = [
  ['a class in both splits', { unseenClasses: ['cat', 'bee'] }, /^zoo: class bee is both seen and unseen/],
  [
    'a class in both splits under two spellings',
    { unseenClasses: ['cat', 'Bee'] },
    /^zoo: class Bee is both seen and unseen/,
  ],
  ['a class under two spellings', { seenClasses: ['ant', 'bee', 'BEE'] }, /"bee" and "BEE" are one class/],
  ['no seen class', { seenClasses: [], train: [], validation: [] }, /no seen class is left/],
  ['a name that occurs twice', { validation: [sample('sketch', 'bee')] }, /sketch\/bee\/0 occurs twice/],
  [
    'an unseen class among the training samples',
    { train: [...sound.train, sample('photo', 'cat', 7)] },
    /photo\/cat\/7 in train has the class cat, which belongs to another split/,
  ],
  [
    'a seen class without a photo',
    { train: sound.train.filter(({ name }) => name !== 'photo/ant/0') },
    /class ant is without a photo; add/,
  ],
  ['unseen classes without a query', { queries: [] }, /class cat is without a sketch/],
];
for (const [name, change, message] of mistakes) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => checkDataset({ ...sound, ...change }),
      (error: unknown) => error instanceof DatasetError && message.test(error.message),
    );
  });
}

test('a long list of classes is cut', () => {
  const seenClasses = Array.from({ length: 12 }, (_, index) => `c${index}`);
  assert.throws(
    () => checkDataset({ ...sound, seenClasses, train: [], validation: [] }),
    /classes c0, c1, c2, c3, c4, c5, c6, c7 and 4 more are without a sketch/,
  );
});

test.run();
