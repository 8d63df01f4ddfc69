/**
 * Names as nouns. Icon sets, emoji and drawings name the same thing in many ways: "house-plant-outline", "House
 * Plants", "house_plant-24". A noun is what such names have in common: lower-case words in the singular, joined by
 * blanks.
 */
import pluralize from 'pluralize';

/** Words that say how an icon is drawn and not what it shows. */
const STYLE_WORDS = new Set(
  (
    'outline outlined linear line stroke solid fill filled duotone duo twotone bold bolder semibold thin light regular sharp rounded round flat color colored colorful alt alternate ' +
    'variant broken bulk freehand expressive baseline basic classic ios md rtl ltr'
  ).split(' '),
);

/** Words whose singular the general rules get wrong. */
for (const word of [
  'lens',
  'canvas',
  'glasses',
  'eyeglasses',
  'sunglasses',
  'binoculars',
  'pants',
  'underpants',
  'briefs',
  'overalls',
  'braces',
])
  pluralize.addUncountableRule(word);

/**
 * The words of a name, each in the singular, without words of style and without numbers.
 *
 * @returns nothing for a name that has no other words
 */
export function nounWords(name: string): string[] {
  const words = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[’']s\b/g, '')
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '' && !/^\d+(px|dp)?$/.test(word));
  // "two-tone" is a style in two words.
  return words
    .filter(
      (word, index) =>
        !STYLE_WORDS.has(word) &&
        !(word === 'tone' && words[index - 1] === 'two') &&
        !(word === 'two' && words[index + 1] === 'tone'),
    )
    .map((word) => pluralize.singular(word));
}

/** The noun of a name: its words joined by blanks. */
export const nounOf = (name: string): string => nounWords(name).join(' ');

/** Whether `words` contains the words of `phrase`, consecutively. */
export function containsPhrase(words: readonly string[], phrase: readonly string[]): boolean {
  return words.some((_, start) => phrase.every((word, index) => words[start + index] === word));
}
