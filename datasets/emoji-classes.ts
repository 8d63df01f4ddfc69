/**
 * Makes emoji-classes.json: which drawings belong to which class, and which classes are unseen.
 *
 *     npx tsx datasets/emoji-classes.ts
 *
 * The result is committed, so that every report is about the same split whatever the versions of
 * the emoji packages are. Run this again only to change the split, and say so: figures from before
 * and after cannot be compared.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { RandomStream, STREAM } from '../src/random/philox.ts';
import { EMOJI_SETS, type EmojiClass, type EmojiSplit } from './emoji.ts';

const SEED = 2108;
/** emojibase's groups of things that can be drawn: no faces, people, symbols, flags. */
const GROUPS: Readonly<Record<number, string>> = {
  3: 'animals',
  4: 'food',
  5: 'travel',
  6: 'activities',
  7: 'objects',
};

/** Share of all classes that is unseen; share of the seen ones that replaces the unseen ones while settings are chosen. */
const UNSEEN_SHARE = 1 / 5;
const SETTINGS_SHARE = 1 / 8;
/** Share of the seen classes that hold one sketch back for validation. */
const VALIDATION_SHARE = 1 / 4;

/** Classes that the augmentation turns into each other: by rotation the clock faces, by the flip the twins. */
const EXCLUDED = [
  /o’clock$/,
  /-thirty$/,
  /^(waning gibbous|last quarter|waning crescent) moon$/,
  /^last quarter moon face$/,
  /^magnifying glass tilted right$/,
];

/**
 * fxemoji keeps names older than Unicode's short names. Left its name, right the label: in fxemoji
 * "dog" is the face, and "dogside" the whole animal. An empty label leaves a drawing out: a musical
 * keyboard, a program's window, a tram car that is a black box.
 */
const FXEMOJI_LABELS: Readonly<Record<string, string>> = {
  dog: 'dog face',
  dogside: 'dog',
  cat: 'cat face',
  catside: 'cat',
  mouse: 'mouse face',
  mouseside: 'mouse',
  tiger: 'tiger face',
  tigerside: 'tiger',
  leopardside: 'leopard',
  pig: 'pig face',
  pigside: 'pig',
  pigsnout: 'pig nose',
  bunny: 'rabbit face',
  bunnyside: 'rabbit',
  hampster: 'hamster',
  pandaface: 'panda',
  wolfface: 'wolf',
  sheep: 'ewe',
  dragonhead: 'dragon face',
  dragonside: 'dragon',
  dromedarycamel: 'camel',
  bactriancamel: 'two-hump camel',
  frontfacingchick: 'front-facing baby chick',
  doveofpeace: 'dove',
  spurtingwhale: 'spouting whale',
  evergreen: 'evergreen tree',
  earofrice: 'sheaf of rice',
  fallingleaf: 'fallen leaf',
  leaffluttering: 'leaf fluttering in wind',
  aubergine: 'eggplant',
  earofmaize: 'ear of corn',
  chilipepper: 'hot pepper',
  acorn: 'chestnut',
  sliceofpizza: 'pizza',
  curryandrice: 'curry rice',
  fishcakeswirl: 'fish cake with swirl',
  sakebottleandcup: 'sake',
  europeafricaglobe: 'globe showing Europe-Africa',
  americasglobe: 'globe showing Americas',
  asiaaustraliaglobe: 'globe showing Asia-Australia',
  meridianglobe: 'globe with meridians',
  snowmountains: 'snow-capped mountain',
  beachumbrella: 'beach with umbrella',
  housebuildings: 'houses',
  housebuilding: 'house',
  europeancastle: 'castle',
  europeanpostoffice: 'post office',
  toykotower: 'Tokyo tower',
  sunsetoverbuildings: 'sunset',
  steamlocomotive: 'locomotive',
  highspeedtrainbulletnose: 'bullet train',
  recreationalvehicle: 'sport utility vehicle',
  racecar: 'racing car',
  policecarsrevolvinglight: 'police car light',
  hourglass: 'hourglass done',
  hourglassflowingsand: 'hourglass not done',
  manltepiececlock: 'mantelpiece clock',
  newmoonwithface: 'new moon face',
  fullmoonwithface: 'full moon face',
  sunraincloud: 'sun behind rain cloud',
  whitesunbehindcloud: 'sun behind large cloud',
  whitesunsmallcloud: 'sun behind small cloud',
  raincloud: 'cloud with rain',
  snowcloud: 'cloud with snow',
  wave: 'water wave',
  fireworksparkler: 'sparkler',
  confetti: 'confetti ball',
  present: 'wrapped gift',
  basketballandhoop: 'basketball',
  tennisball: 'tennis',
  fishingpoleandfish: 'fishing pole',
  skiandskiboot: 'skis',
  directhit: 'bullseye',
  billiards: 'pool 8 ball',
  playingcardblackjoker: 'joker',
  framewithpicture: 'framed picture',
  tie: 'necktie',
  mansshirt: 't-shirt',
  womansshirt: 'woman’s clothes',
  pinkwallet: 'purse',
  schoolsatchel: 'backpack',
  mensshoe: 'man’s shoe',
  mensrunner: 'running shoe',
  heels: 'high-heeled shoe',
  sandals: 'woman’s sandal',
  boot: 'woman’s boot',
  gem: 'gem stone',
  speakercancellation: 'muted speaker',
  bellcancellation: 'bell with slash',
  multiplemusicalnotes: 'musical notes',
  studiomic: 'studio microphone',
  controlknob: 'control knobs',
  cellphone: 'mobile phone',
  personalcomputer: 'laptop',
  minidisc: 'computer disk',
  opticaldisc: 'optical disk',
  videocasette: 'videocassette',
  leftmagnifyingglass: 'magnifying glass tilted left',
  electrictorch: 'flashlight',
  izakayalantern: 'red paper lantern',
  notebookdecorativecover: 'notebook with decorative cover',
  bookmarktab: 'bookmark tabs',
  banknoteyen: 'yen banknote',
  banknotedollar: 'dollar banknote',
  banknoteeuro: 'euro banknote',
  banknotepound: 'pound banknote',
  chartupwardstrendyen: 'chart increasing with yen',
  envelopedownarrowabove: 'envelope with arrow',
  outbox: 'outbox tray',
  closedmailboxraised: 'closed mailbox with raised flag',
  closedmailboxlowered: 'closed mailbox with lowered flag',
  openmailboxraised: 'open mailbox with raised flag',
  openmailboxlowered: 'open mailbox with lowered flag',
  lowerleftfountainpen: 'fountain pen',
  lowerleftpen: 'pen',
  lowerleftpaintbrush: 'paintbrush',
  lowerleftcrayon: 'crayon',
  spiralcalendarpad: 'spiral calendar',
  chartupwardstrend: 'chart increasing',
  chartdownwardstrend: 'chart decreasing',
  blackscissors: 'scissors',
  lock: 'locked',
  openlock: 'unlocked',
  lockwithinkpen: 'locked with pen',
  lockandkey: 'locked with key',
  daggerknife: 'dagger',
  linksymbol: 'link',
  smokingsymbol: 'cigarette',
  moyai: 'moai',
  sunglasses: 'smiling face with sunglasses',
  darksunglasses: 'sunglasses',
  keyboard: '',
  wiredkeyboard: 'keyboard',
  window: '',
  tramcar: '',
};

interface Emoji {
  label: string;
  hexcode: string;
  group?: number;
}
interface IconSet {
  icons: Record<string, unknown>;
  aliases?: Record<string, { parent: string }>;
}

const require = createRequire(import.meta.url);
const emoji = require('emojibase-data/en/data.json') as Emoji[];

/** "Woman’s Boot" and "womans-boot" are one name. */
const normalize = (name: string) =>
  name
    .toLowerCase()
    .replaceAll('&', 'and')
    .replace(/[^a-z0-9]+/g, '');

/** Finds an emoji in a set: by code point where the set lists them, else by name. */
function matcher(set: string): (emoji: Emoji) => string | undefined {
  const { icons, aliases = {} } = require(`@iconify-json/${set}/icons.json`) as IconSet;
  const charsPath = require.resolve(`@iconify-json/${set}/icons.json`).replace(/icons\.json$/, 'chars.json');
  const byCodePoint = existsSync(charsPath)
    ? (JSON.parse(readFileSync(charsPath, 'utf8')) as Record<string, string>)
    : {};
  const renamed = set === 'fxemoji' ? FXEMOJI_LABELS : {};
  const byName = new Map<string, string>();
  for (const [alias, { parent }] of Object.entries(aliases)) byName.set(normalize(alias), parent);
  for (const icon of Object.keys(icons)) byName.set(normalize(renamed[icon] ?? icon), icon);
  return ({ label, hexcode }) => {
    const found =
      byCodePoint[hexcode.toLowerCase()] ??
      byCodePoint[hexcode.toLowerCase().replaceAll('-fe0f', '')] ??
      byName.get(normalize(label));
    return found === undefined || found in icons ? found : aliases[found].parent;
  };
}

const sets = EMOJI_SETS.map(({ name, domain }) => ({ name, domain, match: matcher(name) }));
const stream = new RandomStream(SEED, STREAM.split);
const classes: { name: string; group: string; icons: Record<string, string>; pictures: number; sketches: string[] }[] =
  [];
for (const entry of emoji) {
  const group = GROUPS[entry.group ?? -1];
  if (group === undefined || EXCLUDED.some((pattern) => pattern.test(entry.label))) continue;
  const found = sets.flatMap(({ name, domain, match }) => {
    const icon = match(entry);
    return icon === undefined ? [] : [{ name, domain, icon }];
  });
  const sketches = found.filter(({ domain }) => domain === 'sketch').map(({ name }) => name);
  const pictures = found.length - sketches.length;
  if (pictures < 2 || sketches.length < 2) continue;
  classes.push({
    name: entry.label,
    group,
    icons: Object.fromEntries(found.map(({ name, icon }) => [name, icon])),
    pictures,
    sketches,
  });
}

/**
 * Two and two images are enough to learn from, and every further class makes the embedding more
 * general. An average precision over two relevant pictures is a coarse measure, so the classes that
 * are measured on have three and three.
 */
const measurable = (one: (typeof classes)[number]) => one.pictures >= 3 && one.sketches.length >= 3;

const splits = new Map<string, EmojiSplit>();
for (const group of Object.values(GROUPS)) {
  const members = classes.filter((one) => one.group === group);
  const drawn = stream.shuffle(members.filter(measurable).map((one) => one.name));
  const unseen = Math.round(members.length * UNSEEN_SHARE);
  const settings = Math.round((members.length - unseen) * SETTINGS_SHARE);
  drawn.slice(0, unseen).forEach((name) => splits.set(name, 'unseen'));
  drawn.slice(unseen, unseen + settings).forEach((name) => splits.set(name, 'settings'));
}

/**
 * Sketches held out for validation. Emoji One's two sets are one drawing twice, so holding one of
 * them out would hide nothing; and two sketches always stay to train on.
 */
const HELD_OUT_SETS = ['twemoji', 'openmoji'];
const seen = classes.filter(({ name }) => !splits.has(name));
const heldOut = new Map(
  stream
    .shuffle(seen.filter(({ sketches }) => sketches.length >= 3))
    .slice(0, Math.round(seen.length * VALIDATION_SHARE))
    .map(({ name, sketches }) => {
      const candidates = sketches.filter((set) => HELD_OUT_SETS.includes(set));
      return [name, candidates[stream.integer(candidates.length)]];
    }),
);

const lines = classes.map(({ name, group, icons }) => {
  const entry: EmojiClass = { name, group, split: splits.get(name) ?? 'seen', validation: heldOut.get(name), icons };
  return `  ${JSON.stringify(entry)}`;
});
writeFileSync(new URL('emoji-classes.json', import.meta.url), `[\n${lines.join(',\n')}\n]\n`);

for (const group of [...Object.values(GROUPS), '']) {
  const members = classes.filter((one) => group === '' || one.group === group);
  const count = (split: EmojiSplit) => members.filter((one) => (splits.get(one.name) ?? 'seen') === split).length;
  const images = members.reduce((sum, one) => sum + Object.keys(one.icons).length, 0);
  console.log(
    `${(group || 'all').padEnd(12)} ${members.length} classes, ${images} images: seen ${count('seen')}, settings ${count('settings')}, unseen ${count('unseen')}`,
  );
}
