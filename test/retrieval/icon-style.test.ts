import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { iconStyle, INK_SIDE, SOLID_INK, thickInk, type SetStyles } from '../../src/retrieval/icon-style.ts';

const set = (
  prefix: string,
  {
    palette = false,
    prefixes = {},
    suffixes = {},
  }: { palette?: boolean; prefixes?: Record<string, string>; suffixes?: Record<string, string> } = {},
): SetStyles => ({
  prefix,
  palette,
  prefixes: new Map(Object.entries(prefixes)),
  suffixes: new Map(Object.entries(suffixes)),
});
const [THIN, THICK] = [SOLID_INK / 2, 2 * SOLID_INK];

test('a set with colours of its own is coloured; where it does not say, an icon without currentColor is', () => {
  assert.is(iconStyle(set('noto', { palette: true }), 'heart-outline', true, THIN), 'colour');
  assert.is(iconStyle(set('plain'), 'heart', false, THICK), 'solid');
  const unsaid: SetStyles = { prefix: 'mine', prefixes: new Map(), suffixes: new Map() };
  assert.is(iconStyle(unsaid, 'heart', false, THICK), 'colour');
  assert.is(iconStyle(unsaid, 'heart', true, THICK), 'solid');
});

test('what the set calls the end or the beginning of a name counts before ink, the longest first', () => {
  const solar = set('solar', {
    suffixes: { linear: 'Linear', 'line-duotone': 'Line Duotone', bold: 'Bold', 'bold-duotone': 'Bold Duotone' },
  });
  assert.is(iconStyle(solar, 'sun-linear', true, THICK), 'outline');
  assert.is(iconStyle(solar, 'sun-line-duotone', true, THIN), 'duotone');
  assert.is(iconStyle(solar, 'sun-bold-duotone', true, THICK), 'duotone');
  // "Bold" says nothing.
  assert.is(iconStyle(solar, 'sun-bold', true, THICK), 'solid');
  assert.is(iconStyle(solar, 'sun-bold', true, THIN), 'outline');
  const ic = set('ic', { prefixes: { outline: 'Outline', twotone: 'Two-Tone', round: 'Round' } });
  assert.is(iconStyle(ic, 'outline-home', true, THICK), 'outline');
  assert.is(iconStyle(ic, 'twotone-home', true, THICK), 'duotone');
  assert.is(iconStyle(ic, 'round-home', true, THICK), 'solid');
  // Of a set that names the icons without an end.
  const tabler = set('tabler', { suffixes: { '': 'Outline', filled: 'Filled' } });
  assert.is(iconStyle(tabler, 'heart', true, THICK), 'outline');
  assert.is(iconStyle(tabler, 'heart-filled', true, THIN), 'solid');
});

test("then the set's name, then the icon's last word", () => {
  assert.is(iconStyle(set('fa7-solid'), 'minus', true, THIN), 'solid');
  assert.is(iconStyle(set('icon-park-twotone'), 'minus', true, THIN), 'duotone');
  assert.is(iconStyle(set('material-symbols-light'), 'heart', true, THICK), 'solid');
  assert.is(iconStyle(set('mdi'), 'heart-outline', true, THICK), 'outline');
  assert.is(iconStyle(set('mdi'), 'heart-outline-lock', true, THICK), 'solid', 'no last word');
  assert.is(iconStyle(set('mdi'), 'chart-line', true, THICK), 'solid', 'a chart');
});

test('thick ink is what lines do not have', () => {
  const square = (isInk: (x: number, y: number) => boolean): Uint8Array =>
    Uint8Array.from({ length: 3 * INK_SIDE ** 2 }, (_, at) => {
      const pixel = Math.floor(at / 3);
      return isInk(pixel % INK_SIDE, Math.floor(pixel / INK_SIDE)) ? 0 : 255;
    });
  const middle = (INK_SIDE - 1) / 2;
  const radius = (x: number, y: number): number => Math.hypot(x - middle, y - middle);
  assert.is(thickInk(square(() => false)), 0);
  assert.is(thickInk(square((x, y) => Math.abs(radius(x, y) - 18) < 2.5)), 0, 'a ring of 5 pixels');
  assert.is(thickInk(square((x) => x > 20 && x < 27)), 0, 'a line of 6 pixels');
  assert.ok(thickInk(square((x, y) => radius(x, y) < 20)) > 10 * SOLID_INK, 'a disc');
  const share = thickInk(square(() => true));
  assert.is(share, ((INK_SIDE - 6) / INK_SIDE) ** 2);
});

test.run();
