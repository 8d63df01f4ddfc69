/** What the views share: elements by their ids, trouble, and numbers as words. */

/** @throws Error where the page has no such element */
export function element<Kind extends HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found as Kind;
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
  if (/out of memory|no room|allocation/i.test(message)) return `There is not enough memory: ${message} Close other pages, or use fewer or smaller pictures.`;
  return message;
}

/** Files of an input or a drop that are pictures. */
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
