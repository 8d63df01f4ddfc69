import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { changeAppearance } from '../../src/data/appearance.ts';
import { DOMAIN_INDEX } from '../../src/data/dataset.ts';

const SIZE = 13;
const COUNT = 400;
const PIXELS = SIZE * SIZE;
const BYTES = 3 * PIXELS;
/** Sketches, then photos; every pixel of an image has its colors, none of them white or gray. */
const domains = Uint32Array.from({ length: COUNT }, (_, index) =>
  index < COUNT / 2 ? DOMAIN_INDEX.sketch : DOMAIN_INDEX.photo,
);
const COLOUR = [200, 90, 20];
const original = Uint8Array.from({ length: COUNT * BYTES }, (_, i) => COLOUR[i % 3]);

function changed(probabilities: { recolouring: number; erasing: number }, seed = 3, step = 5): Uint8Array[] {
  const images = original.slice();
  changeAppearance(images, domains, { size: SIZE, seed, step, ...probabilities });
  return Array.from({ length: COUNT }, (_, index) => images.subarray(index * BYTES, (index + 1) * BYTES));
}
const colorOf = (image: Uint8Array, pixel = 0): string => image.subarray(3 * pixel, 3 * pixel + 3).join(' ');

/** Three standard deviations of a count with this probability. */
const assertShare = (found: number, of: number, probability: number, what: string): void =>
  assert.ok(
    Math.abs(found - of * probability) <= 3 * Math.sqrt(of * probability * (1 - probability)),
    `${what}: ${found} of ${of}`,
  );

test('photos become gray or have their channels permuted, sketches stay', () => {
  const images = changed({ recolouring: 0.5, erasing: 0 });
  const [sketches, photos] = [images.slice(0, COUNT / 2), images.slice(COUNT / 2)];
  assert.ok(sketches.every((image) => colorOf(image) === '200 90 20'));
  // BT.601: 0.299 * 200 + 0.587 * 90 + 0.114 * 20 = 114.91, as a byte 114.
  const gray = photos.filter((image) => colorOf(image) === '114 114 114').length;
  assertShare(gray, photos.length, 0.25, 'gray');
  const kinds = new Set(photos.map((image) => colorOf(image)));
  assert.equal(
    [...kinds].sort(),
    ['114 114 114', '20 200 90', '20 90 200', '200 20 90', '200 90 20', '90 20 200', '90 200 20'].sort(),
  );
  // One permutation of six leaves everything where it is.
  assertShare(photos.filter((image) => colorOf(image) === '200 90 20').length, photos.length, 0.5 + 0.25 / 6, 'kept');
  for (const image of photos)
    for (let pixel = 0; pixel < PIXELS; pixel++) assert.is(colorOf(image, pixel), colorOf(image));
});

test('a rectangle of 5 to 25 % becomes white, of sketches and photos', () => {
  const images = changed({ recolouring: 0, erasing: 0.6 });
  const areas = images.map((image) => {
    const white = [...Array(PIXELS).keys()].filter((pixel) => colorOf(image, pixel) === '255 255 255');
    const xs = white.map((pixel) => pixel % SIZE);
    const ys = white.map((pixel) => Math.floor(pixel / SIZE));
    if (white.length > 0)
      assert.is(
        white.length,
        (Math.max(...xs) - Math.min(...xs) + 1) * (Math.max(...ys) - Math.min(...ys) + 1),
        'white is one rectangle',
      );
    return white.length;
  });
  const erased = areas.filter((area) => area > 0);
  assertShare(erased.length, COUNT, 0.6, 'erased');
  assertShare(areas.slice(0, COUNT / 2).filter((area) => area > 0).length, COUNT / 2, 0.6, 'erased sketches');
  // Sides are whole pixels: each is off by half a pixel at most, in an area of at most 13 x 13.
  const slack = 0.5 * SIZE + 0.25;
  assert.ok(Math.min(...erased) >= 0.05 * PIXELS - slack, `${Math.min(...erased)}`);
  assert.ok(Math.max(...erased) <= 0.25 * PIXELS + slack, `${Math.max(...erased)}`);
});

test('an image depends on seed, step and position alone', () => {
  const both = { recolouring: 0.5, erasing: 0.5 };
  assert.equal(changed(both), changed(both));
  assert.not.equal(changed(both), changed(both, 4));
  assert.not.equal(changed(both), changed(both, 3, 6));
  const alone = original.slice(0, BYTES);
  changeAppearance(alone, domains.slice(0, 1), { size: SIZE, seed: 3, step: 5, ...both });
  assert.equal(alone, changed(both)[0]);
});

test('nothing changes without a probability', () => {
  assert.ok(
    changed({ recolouring: 0, erasing: 0 }).every((image) => image.every((value, i) => value === COLOUR[i % 3])),
  );
});

test.run();
