import type { Collection } from './collections.ts';
import { element, nameElement } from './page.ts';

/**
 * Opens its buttons for a dialog with all pictures of the collection that is searched.
 * @param current the collection in use
 */
export function offerCollection(current: () => Collection): void {
  const dialog = element<HTMLDialogElement>('all');
  for (const id of ['browse', 'browse-invited']) {
    const opener = element<HTMLButtonElement>(id);
    opener.disabled = false;
    opener.addEventListener('click', () => {
      const collection = current();
      element('all-title').textContent = collection.title;
      element('all-pictures').replaceChildren(...collection.names.map((name, index) => pictureEntry(collection, index, name)));
      dialog.showModal();
    });
  }
  // Thousands of elements are not needed behind the page.
  dialog.addEventListener('close', () => element('all-pictures').replaceChildren());
}

function pictureEntry(collection: Collection, index: number, name: string): HTMLLIElement {
  const entry = document.createElement('li');
  const thumbnail = collection.thumbnail(index);
  // Its name stands beside it.
  thumbnail.ariaHidden = 'true';
  entry.append(thumbnail, nameElement(name));
  return entry;
}
