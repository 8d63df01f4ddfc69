/**
 * Class names, which every source spells in its own way. Names are compared by their keys everywhere: between the
 * domains of a data set, between a split and the folders on disk, and between a model's classes and those that it is
 * measured on.
 */

/**
 * Common misspellings, other spellings and plurals of class names of Sketchy, TU-Berlin and QuickDraw, by key. None is
 * the name of another of their classes.
 */
const MISSPELLINGS: ReadonlyMap<string, string> = new Map([
  ['aeroplane', 'airplane'],
  ['binocular', 'binoculars'],
  ['eyeglass', 'eyeglasses'],
  ['eye glasses', 'eyeglasses'],
  ['girrafe', 'giraffe'],
  ['giraff', 'giraffe'],
  ['hamburguer', 'hamburger'],
  ['hambuger', 'hamburger'],
  ['headphones', 'head phones'],
  ['helicoptor', 'helicopter'],
  ['jack o lanten', 'jack o lantern'],
  ['pinapple', 'pineapple'],
  ['racoon', 'raccoon'],
  ['rhinocerous', 'rhinoceros'],
  ['rhinocerus', 'rhinoceros'],
  ['rhinocero', 'rhinoceros'],
  ['rollerblade', 'rollerblades'],
  ['saxaphone', 'saxophone'],
  ['scissor', 'scissors'],
  ['scizzors', 'scissors'],
  ['skyscrapper', 'skyscraper'],
  ['sky scraper', 'skyscraper'],
  ['squirel', 'squirrel'],
  ['suit case', 'suitcase'],
  ['teddybear', 'teddy bear'],
  ['tshirt', 't shirt'],
  ['umberella', 'umbrella'],
  ['wind mill', 'windmill'],
]);

/**
 * What two spellings of one class have in common: "Teddy_bear", "teddy-bear" and "teddy bear" have one key, and so have
 * a letter with its accent and the two written as one. Two names are the same class where their keys are equal.
 */
export function classKey(name: string): string {
  const key = name
    .toLowerCase()
    .normalize('NFC')
    .replace(/[-\u2010-\u2015_\s]+/g, ' ')
    .trim();
  return MISSPELLINGS.get(key) ?? key;
}

/** Names of `names` that are a class of `others`, under whatever spelling. */
export function sharedClasses(names: readonly string[], others: readonly string[]): string[] {
  const keys = new Set(others.map(classKey));
  return names.filter((name) => keys.has(classKey(name)));
}
