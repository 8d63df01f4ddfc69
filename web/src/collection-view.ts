import type { PictureCollection } from './collections.ts';
import { element } from './page.ts';
import type { PictureDialog } from './picture-dialog.ts';

/**
 * Opens its buttons for a dialog with all pictures of the collection that is searched.
 * @param current the collection in use
 */
export function offerCollection(current: () => PictureCollection, pictures: PictureDialog): void {
  const dialog = element<HTMLDialogElement>('all');
  const list = element('all-pictures');
  for (const id of ['browse', 'browse-invited']) {
    const opener = element<HTMLButtonElement>(id);
    opener.disabled = false;
    opener.addEventListener('click', () => {
      const collection = current();
      element('all-title').textContent = collection.title;
      list.replaceChildren(...collection.names.map((_, index) => pictures.entry(collection, index)));
      // One stop of the Tab key; the arrow keys move among the pictures.
      list.querySelectorAll('button').forEach((button, index) => (button.tabIndex = index === 0 ? 0 : -1));
      dialog.showModal();
    });
  }
  list.addEventListener('keydown', (event) => {
    const next = neighbour(list, event.key);
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  });
  // Thousands of elements are not needed behind the page.
  dialog.addEventListener('close', () => list.replaceChildren());
}

/** The picture to which a key moves from the one in focus. */
function neighbour(list: HTMLElement, key: string): HTMLButtonElement | undefined {
  const buttons = [...list.querySelectorAll('button')];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  if (at < 0) return undefined;
  const firstRow = (buttons[0].parentElement as HTMLElement).offsetTop;
  const below = buttons.findIndex((button) => (button.parentElement as HTMLElement).offsetTop > firstRow);
  const columns = below < 0 ? buttons.length : below;
  const moves: Readonly<Record<string, number>> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: 0,
    End: buttons.length - 1,
  };
  const next = buttons[moves[key]] as HTMLButtonElement | undefined;
  if (next === undefined) return undefined;
  buttons[at].tabIndex = -1;
  next.tabIndex = 0;
  return next;
}
