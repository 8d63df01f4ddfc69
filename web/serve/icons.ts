/** What the page of `sketchgrad serve --icons` shows besides: names and drawings of icons, to copy. */
import type { FoundIcon } from '../../src/server/icon-search-service.ts';
import { chosenFilters, licenceText, type IconChoices } from '../src/icon-filters.ts';
import { explain, nameElement, trouble } from '../src/page.ts';

/** What `GET /about` tells of an index. */
export interface AboutIcons extends IconChoices {
  readonly icons: number;
}

/** The filters as parameters of the search's address. */
export const filterParameters = (): URLSearchParams => new URLSearchParams([...chosenFilters()]);

/** A result: the icon, what it is, and buttons that copy it. */
export function iconItem({ icon, set, licence, style, similarity, belowCutOff = false }: FoundIcon): HTMLLIElement {
  const address = `icons/${set}/${icon.slice(set.length + 1)}.svg`;
  const item = document.createElement('li');
  item.classList.toggle('below', belowCutOff);
  const line = (text: string): HTMLElement =>
    Object.assign(document.createElement('span'), { className: 'score', textContent: text });
  const about = document.createElement('div');
  about.append(line(`${licenceText(licence)}, ${style}${belowCutOff ? ', unlike' : ''}`));
  const buttons = document.createElement('div');
  buttons.className = 'copies';
  buttons.append(
    copyButton('Name', `Copy the name ${icon}`, () => Promise.resolve(icon)),
    copyButton('SVG', `Copy ${icon} as SVG`, async () => {
      const response = await fetch(address);
      if (!response.ok) throw new Error(`The set ${set} is not installed where this page comes from.`);
      return response.text();
    }),
  );
  item.append(
    Object.assign(new Image(), { className: 'thumbnail', alt: icon, src: address }),
    nameElement(icon),
    line(` ${similarity.toFixed(2)}`),
    about,
    buttons,
  );
  return item;
}

function copyButton(text: string, label: string, content: () => Promise<string>): HTMLButtonElement {
  const button = Object.assign(document.createElement('button'), {
    type: 'button',
    textContent: text,
    ariaLabel: label,
  });
  button.addEventListener('click', () => {
    content()
      .then(copy)
      .then(
        () => {
          trouble();
          button.textContent = 'Copied';
          setTimeout(() => (button.textContent = text), 1500);
        },
        (error: unknown) => trouble(explain(error)),
      );
  });
  return button;
}

/** @throws Error where the browser does not let the page copy */
async function copy(text: string): Promise<void> {
  // A page that comes over http from another machine has no clipboard.
  if (!('clipboard' in navigator))
    throw new Error(`The browser lets only pages of this machine, or over https, copy. The text is: ${text}`);
  await navigator.clipboard.writeText(text);
}
