/**
 * The choices of set, style and licence above the results: of the page, and of the page of `sketchgrad serve --icons`.
 */
import type { IndexedIconSet } from '../../src/retrieval/icon-index.ts';
import { element } from './page.ts';

const FILTERS = ['set', 'style', 'licence'] as const;
type FilterName = (typeof FILTERS)[number];

/** What icons can be filtered by. */
export interface IconChoices {
  readonly sets: readonly IndexedIconSet[];
  readonly styles: readonly string[];
}

/** The identifier of a licence, or its title where it has none. */
export const licenceText = ({ spdx, title }: IndexedIconSet['licence']): string => spdx || title;

/** Fills the filters. @param onChange hears when one was changed */
export function offerFilters({ sets, styles }: IconChoices, onChange: () => void): void {
  const options: Readonly<Record<FilterName, readonly (readonly [value: string, text: string])[]>> = {
    set: sets.map(({ prefix, title, count }) => [prefix, `${title} (${count})`]),
    style: styles.map((style) => [style, style]),
    licence: [...new Set(sets.map(({ licence }) => licenceText(licence)))].sort().map((name) => [name, name]),
  };
  for (const name of FILTERS) {
    const select = element<HTMLSelectElement>(name);
    select.append(...options[name].map(([value, text]) => new Option(text, value)));
    select.addEventListener('change', onChange);
  }
}

/** What is chosen; a filter that lets all through is absent. */
export function chosenFilters(): ReadonlyMap<FilterName, string> {
  return new Map(
    FILTERS.map((name) => [name, element<HTMLSelectElement>(name).value] as const).filter(([, value]) => value !== ''),
  );
}
