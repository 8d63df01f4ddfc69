/**
 * How an icon is drawn, by a rule in three steps. The first step that gives an answer decides:
 *
 * 1. Palette: an icon of a set with its own colours is `colour`. Where a set does not say, it is an icon that
 * does not take the text's
 *    colour (`currentColor`).
 * 2. Name: what the set itself calls the beginning or the end of the icon's name ("Two-Tone" for ic:twotone-*); then a
 * word of the set's own name
 *    (fa7-solid); then the icon's last word, if it is one that means nothing else.
 * 3. Ink: `solid` where the share of thick ink is SOLID_INK or more, otherwise `outline`.
 */

export const ICON_STYLES = ['outline', 'solid', 'duotone', 'colour'] as const;
/** A style by which icons are filtered. */
export type IconStyle = (typeof ICON_STYLES)[number];

/** What a set says of the styles of its icons. */
export interface SetStyles {
  readonly prefix: string;
  /** Whether its icons have colours of their own; absent where the set does not say. */
  readonly palette?: boolean;
  /** From the beginnings and ends of names, without the dash, to the set's words for them. */
  readonly prefixes: ReadonlyMap<string, string>;
  readonly suffixes: ReadonlyMap<string, string>;
}

/** Side of the square on which thick ink is measured, in pixels. */
export const INK_SIDE = 48;
/** Radius of the disc of ink around a pixel of thick ink. Most outlines are narrower than the disc. */
const THICK = 3;
/**
 * From this share of thick ink on an icon is solid. It agrees best with what sets say of their icons (step 2);
 * docs/icons.md has the figures.
 */
export const SOLID_INK = 0.026;
/** A level at or below it is ink. */
const INK_LEVEL = 128;

/** Places of the disc's pixels from its middle, as offsets in a row-major square of INK_SIDE. */
const DISC = Array.from({ length: (2 * THICK + 1) ** 2 }, (_, at) => [
  Math.floor(at / (2 * THICK + 1)) - THICK,
  (at % (2 * THICK + 1)) - THICK,
])
  .filter(([y, x]) => x * x + y * y <= THICK * THICK + 1)
  .map(([y, x]) => y * INK_SIDE + x);

/**
 * The share of a square's pixels that have ink all around them: what is left of a drawing whose lines are taken away.
 * @param colours RGB u8, [INK_SIDE, INK_SIDE, 3]: black ink on white, fitted (`fitToInk`)
 */
export function thickInk(colours: Uint8Array): number {
  const isInk = Uint8Array.from({ length: INK_SIDE ** 2 }, (_, pixel) => Number(colours[3 * pixel] <= INK_LEVEL));
  let thick = 0;
  for (let y = THICK; y < INK_SIDE - THICK; y++) {
    for (let x = THICK; x < INK_SIDE - THICK; x++)
      if (DISC.every((offset) => isInk[y * INK_SIDE + x + offset] === 1)) thick++;
  }
  return thick / INK_SIDE ** 2;
}

/** In a set's own words. "Bold" and "Regular" are absent: some sets call thick outlines so and others solid icons. */
const WORDS: readonly (readonly [RegExp, IconStyle])[] = [
  [/duo|two-?\s?tone/i, 'duotone'],
  [/outline|\bline(ar)?\b|stroke|\bthin\b|\blight\b|broken/i, 'outline'],
  [/fill|solid/i, 'solid'],
];
/** In a set's name. "Light" is absent: material-symbols-light has thin icons, outlined and filled. */
const SET_WORDS: ReadonlyMap<string, IconStyle> = new Map([
  ['outline', 'outline'],
  ['line', 'outline'],
  ['solid', 'solid'],
  ['twotone', 'duotone'],
  ['duo', 'duotone'],
]);
/** At the end of an icon's name. "Line" and "light" are absent: there are charts and lamps. */
const LAST_WORDS: ReadonlyMap<string, IconStyle> = new Map([
  ['outline', 'outline'],
  ['outlined', 'outline'],
  ['solid', 'solid'],
  ['fill', 'solid'],
  ['filled', 'solid'],
  ['duotone', 'duotone'],
  ['twotone', 'duotone'],
]);

/**
 * The style of an icon: what its set declares, else by its ink.
 * @param name without the set's prefix
 * @param takesTextColour whether the drawing uses `currentColor`
 * @param thick `thickInk` of the drawing
 */
export function iconStyle(set: SetStyles, name: string, takesTextColour: boolean, thick: number): IconStyle {
  if (set.palette ?? !takesTextColour) return 'colour';
  return declaredStyle(set, name) ?? (thick >= SOLID_INK ? 'solid' : 'outline');
}

/** Step 2. */
export function declaredStyle({ prefix, prefixes, suffixes }: SetStyles, name: string): IconStyle | undefined {
  const called = [
    longest(suffixes, (suffix) => name.endsWith(`-${suffix}`)),
    longest(prefixes, (beginning) => name.startsWith(`${beginning}-`)),
  ];
  return (
    called.map(styleInWords).find((style) => style !== undefined) ??
    prefix
      .split('-')
      .map((word) => SET_WORDS.get(word))
      .find((style) => style !== undefined) ??
    LAST_WORDS.get(name.slice(name.lastIndexOf('-') + 1))
  );
}

const styleInWords = (words: string | undefined): IconStyle | undefined =>
  WORDS.find(([pattern]) => words !== undefined && pattern.test(words))?.[1];

/** The words for the longest key that matches; those of the empty key where none does. */
function longest(words: ReadonlyMap<string, string>, matches: (key: string) => boolean): string | undefined {
  const keys = [...words.keys()].filter((key) => key !== '' && matches(key)).sort((a, b) => b.length - a.length);
  return words.get(keys[0] ?? '');
}
