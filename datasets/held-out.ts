/**
 * Which nouns no training may see. The unseen classes of the emoji data set are what the shipped model is measured on.
 * Other sources (icons, drawings, other emoji) name the same things in other words, so that each unseen class has a
 * list of nouns here: its name, its synonyms, and other names under which icon sets draw it.
 *
 * A name is held out where it contains one of these nouns as whole words, also as a part of a phrase: "school bus"
 * names a bus. It is a strict rule: what is lost are a few classes of training. A noun that begins with "=" is held out
 * only where it is the whole name.
 */
import { readFileSync } from 'node:fs';
import { packageFile } from '../src/platform/node/package-files.ts';
import { containsPhrase, nounOf, nounWords } from './nouns.ts';

interface HeldOutNouns {
  /** By unseen class of emoji-classes.json. */
  readonly classes: Readonly<Record<string, readonly string[]>>;
  /** Phrases that contain a held-out noun and name another thing. */
  readonly exceptions: readonly string[];
}

export const HELD_OUT_NOUNS = JSON.parse(
  readFileSync(packageFile('datasets/held-out-nouns.json'), 'utf8'),
) as HeldOutNouns;

const exact = new Map<string, string>();
const phrases: { readonly words: readonly string[]; readonly className: string }[] = [];
for (const [className, nouns] of Object.entries(HELD_OUT_NOUNS.classes)) {
  for (const noun of nouns) {
    if (noun.startsWith('=')) exact.set(nounWords(noun.slice(1)).join(' '), className);
    else phrases.push({ words: nounWords(noun), className });
  }
}
const exceptions = HELD_OUT_NOUNS.exceptions.map(nounWords);

/** The unseen emoji class that a name names, whole or in part; undefined where it may be trained on. */
export function heldOutClass(name: string): string | undefined {
  const words = nounWords(name);
  const whole = exact.get(words.join(' '));
  if (whole !== undefined) return whole;
  // Words of an exception are replaced by a gap, so that "teddy bear" passes and "teddy bear with a bear" does not.
  for (const exception of exceptions) {
    const start = words.findIndex((_, index) => exception.every((word, offset) => words[index + offset] === word));
    if (start >= 0) words.splice(start, exception.length, '');
  }
  return phrases.find((phrase) => containsPhrase(words, phrase.words))?.className;
}

/** The unseen emoji classes that a name names as a whole, by their names and synonyms; a shoe, say, is "man’s shoe". */
export function unseenClassesOf(name: string): string[] {
  const noun = nounOf(name);
  return Object.entries(HELD_OUT_NOUNS.classes)
    .filter(
      ([className, nouns]) => nounOf(className) === noun || nouns.some((one) => nounOf(one.replace(/^=/, '')) === noun),
    )
    .map(([className]) => className);
}
