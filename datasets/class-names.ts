/** Class names, which every source spells in its own way. */

/** "Teddy_bear", "teddy-bear" and "teddy bear" are one class; so are a letter with its accent and the two written as one. */
export function classKey(name: string): string {
  return name.toLowerCase().normalize('NFC').replace(/[-_\s]+/g, ' ').trim();
}
