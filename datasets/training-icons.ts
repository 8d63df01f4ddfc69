/**
 * Icons as training data: the same noun drawn by many artists. The name of an icon gives its noun (nouns.ts); nouns
 * that cannot be drawn, interface glyphs and what is held out (held-out.ts) are left out; the set says whether an icon
 * is a sketch or a picture (icon-artists.ts).
 */
import { readFileSync } from 'node:fs';
import type { Domain } from '../src/data/dataset.ts';
import { RandomStream, STREAM } from '../src/random/philox.ts';
import { packageFile } from '../src/platform/node/package-files.ts';
import { heldOutClass } from './held-out.ts';
import { ICON_SETS, takesIcon } from './icon-artists.ts';
import type { Icon } from './icon-sets.ts';
import { nounWords } from './nouns.ts';

export interface TrainingIcon {
  readonly set: string;
  readonly domain: Domain;
  /** The class: its noun, or the noun's main synonym. */
  readonly noun: string;
  readonly icon: Icon;
}

/** Words of names that show a part of an interface, a person or a brand, or that say what happens to a thing. */
const INTERFACE_WORDS = new Set(
  (
    'arrow arrowhead arrowshape chevron caret angle down up left right top bottom back forward next previous small large add plus minus remove delete check checkbox checked cancel close off on no none not ' +
    'edit export import download upload share sort drag drop move resize select search zoom view layout grid list text font format align indent number letter character cell row column table tab tray menu ' +
    'button toggle switch slider cursor pointer swatch variable widget device database datum server network system user users person people man woman male female gender boy girl account contact agent human ' +
    'face loading refresh sync redo undo backspace space return enter escape exit entrance login logout auto manual mode square circle triangle rectangle pentagon hexagon polygon octagon rhombus ellipse oval ' +
    'shape code terminal console api cpu hash binary delta opacity padding segment stripe layer dashboard compress duplicate copy paste crop aperture focus brightness contrast exposure wifi bluetooth nfc usb ' +
    'sim sd lan ethernet gps wash turn detour crossroad roundabout junction merge split branch loop draw feed rss web internet hub android google facebook linkedin microsoft twitter python firebase bootstrap ' +
    'mastodon delicious amex pix ipod mac pc app screen window panel frame path node tool gesture swipe expand fullscreen full half empty standby power volume mute play pause stop skip rewind record slash ' +
    'crossed disabled alert warning error info question exclamation notification message chat comment bubble archive inbox file folder document page sheet calendar clipboard address id card filter lasso ' +
    'mobile desktop tablet send receive transfer exchange currency payment trending moving sign symbol logo brand badge checklist timeline kanban automation ai bot cloud-computing setting settings ' +
    'handball rowing haircut tuxedo wearing emoji smiley'
  ).split(' '),
);
/** They are things only where they are the whole name: "window" may be a house's, "cloud upload" is no cloud. */
const THINGS_ALONE = new Set([
  'window',
  'frame',
  'file',
  'folder',
  'calendar',
  'clipboard',
  'tray',
  'archive',
  'tablet',
  'screen',
  'switch',
  'tool',
  'badge',
]);

const nounList = JSON.parse(readFileSync(packageFile('datasets/noun-list.json'), 'utf8')) as {
  nouns: string[];
  synonyms: Record<string, string>;
};
const DRAWN = new Set(nounList.nouns);
const SYNONYMS = new Map(Object.entries(nounList.synonyms));
const LONGEST_NAME = 3;

/**
 * The noun that an icon's name names; undefined for what is no class to train on. Held-out nouns are not told from
 * others here.
 */
export function iconNoun(name: string): string | undefined {
  const words = nounWords(name);
  if (words.length === 0 || words.length > LONGEST_NAME) return undefined;
  const alone = words.length === 1 && THINGS_ALONE.has(words[0]);
  if (!alone && words.some((word) => INTERFACE_WORDS.has(word))) return undefined;
  const noun = words.join(' ');
  if (!DRAWN.has(noun) && !DRAWN.has(words[words.length - 1])) return undefined;
  return mainNoun(noun);
}

/** A noun, or the synonym that represents all of them. */
export const mainNoun = (noun: string): string => SYNONYMS.get(noun) ?? noun;

/**
 * All icons of some sets that can be trained on, in the order of icon-artists.ts.
 *
 * @param sets the icons of each set, by Iconify's prefix; sets that icon-artists.ts does not have are passed over
 * @param mostPerDomain of a noun's sketches, and of its pictures, drawn by the seed among the sets
 */
export function trainingIcons(
  sets: ReadonlyMap<string, readonly Icon[]>,
  {
    mostPerDomain,
    seed,
    heldOut = heldOutClass,
  }: { mostPerDomain: number; seed: number; heldOut?: (name: string) => string | undefined },
): TrainingIcon[] {
  const byClass = new Map<string, TrainingIcon[]>();
  for (const choice of ICON_SETS) {
    for (const icon of sets.get(choice.set) ?? []) {
      if (!takesIcon(choice, icon.name)) continue;
      const noun = iconNoun(icon.name);
      // A synonym may be held out where the name is not, and the other way round.
      if (noun === undefined || heldOut(icon.name) !== undefined || heldOut(noun) !== undefined) continue;
      const key = `${choice.domain}/${noun}`;
      byClass.set(key, [...(byClass.get(key) ?? []), { set: choice.set, domain: choice.domain, noun, icon }]);
    }
  }
  const stream = new RandomStream(seed, STREAM.split, [2, 0]);
  return [...byClass.values()].flatMap((icons) =>
    icons.length <= mostPerDomain ? icons : stream.shuffle([...icons]).slice(0, mostPerDomain),
  );
}
