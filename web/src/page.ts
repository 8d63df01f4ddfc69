/** What the views share: elements by their ids, names of files, trouble, and numbers as words. */

/** What every browser decodes, as an input's `accept` has it: no SVG and no TIFF. */
export const PICTURE_TYPES = 'image/png,image/jpeg,image/webp,image/gif,image/avif,image/bmp';

/** Names that are written out in a list of many. */
const NAMES_SHOWN = 5;

/** @throws Error where the page has no such element */
export function element<Kind extends HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found as Kind;
}

/** A name that somebody gave, to be put among words: a script that runs from right to left does not reorder these. */
export function nameElement(name: string): HTMLElement {
  return Object.assign(document.createElement('bdi'), { textContent: name });
}

/** The same where there can be no elements: between Unicode's isolates. */
export const isolated = (name: string): string => `\u2068${name}\u2069`;

/** Names with commas between them, the first few of many. */
export function nameList(names: readonly string[]): (string | Node)[] {
  const shown = names
    .slice(0, NAMES_SHOWN)
    .flatMap((name, index) => (index === 0 ? [nameElement(name)] : [', ', nameElement(name)]));
  return names.length > NAMES_SHOWN ? [...shown, ` and ${names.length - NAMES_SHOWN} more`] : shown;
}

/** Tells of something that does not work, until it is told of something else; without a message, all is well. */
export function trouble(message?: string): void {
  const box = element('trouble');
  box.hidden = message === undefined;
  box.textContent = message ?? '';
}

/** What went wrong, for people. */
export function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/out of memory|no room|allocation/i.test(message))
    return `There is not enough memory: ${message} Close other pages, or use fewer or smaller pictures.`;
  return message;
}

/** Files of an input or a drop that are pictures. What the browser does not decode of them is named later. */
export function picturesOf(files: Iterable<File>): File[] {
  return [...files].filter(({ type, name }) => type.startsWith('image/') && !name.startsWith('.'));
}

/** Offers bytes as a file. */
export function download(bytes: Uint8Array, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
