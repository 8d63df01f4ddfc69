import type { PictureCollection } from './collections.ts';
import { element } from './page.ts';
import type { PictureDialog } from './picture-dialog.ts';

/** Pictures of a page: a screen reader and a browser cope with so many elements. */
const PAGE = 120;

/** A dialog with the pictures of a collection, page by page. */
export class CollectionView {
  private readonly dialog = element<HTMLDialogElement>('all');
  private readonly list = element('all-pictures');
  private collection: PictureCollection | undefined;
  /** The first picture of the page. */
  private first = 0;

  constructor(private readonly pictures: PictureDialog) {
    for (const [id, step] of [
      ['all-previous', -PAGE],
      ['all-next', PAGE],
    ] as const)
      element(id).addEventListener('click', () => this.turn(step));
    this.list.addEventListener('keydown', (event) => {
      const next = neighbour(this.list, event.key);
      const step = { PageUp: -PAGE, PageDown: PAGE }[event.key];
      if (next === undefined && step === undefined) return;
      event.preventDefault();
      next?.focus();
      if (step !== undefined) this.turn(step, 0);
    });
    this.list.addEventListener('focusin', ({ target }) => {
      for (const button of this.list.querySelectorAll('button')) button.tabIndex = button === target ? 0 : -1;
    });
    this.dialog.addEventListener('close', () => {
      // Its elements are not needed behind the page.
      this.list.replaceChildren();
      this.collection = undefined;
    });
  }

  open(collection: PictureCollection): void {
    this.first = 0;
    this.collection = collection;
    this.fill();
    this.dialog.showModal();
  }

  /** Shows another state of the collection that is looked through, at the same place. */
  update(collection: PictureCollection): void {
    if (this.collection?.id !== collection.id) return;
    if (collection.names.length === 0) return this.dialog.close();
    const place = [...this.list.querySelectorAll('button')].findIndex(({ tabIndex }) => tabIndex === 0);
    this.collection = collection;
    this.fill(place);
  }

  /** @param focus the place on the page that gets the keyboard; undefined: it stays where it is */
  private turn(step: number, focus?: number): void {
    const { length } = this.collection?.names ?? [];
    if (this.first + step < 0 || this.first + step >= length) return;
    this.first += step;
    this.fill(focus);
    this.list.scrollTop = 0;
  }

  private fill(focus?: number): void {
    const collection = this.collection as PictureCollection;
    const { length } = collection.names;
    if (this.first >= length) this.first = Math.max(0, this.first - PAGE);
    const end = Math.min(length, this.first + PAGE);
    element('all-title').textContent = collection.title;
    element('all-pages').hidden = length <= PAGE;
    element('all-range').textContent = `${this.first + 1} to ${end} of ${length}`;
    // Not `disabled`, which would take the keyboard away from the button that was just pressed.
    element('all-previous').ariaDisabled = String(this.first === 0);
    element('all-next').ariaDisabled = String(end === length);
    this.list.replaceChildren(
      ...Array.from({ length: end - this.first }, (_, place) => this.pictures.entry(collection, this.first + place)),
    );
    // One stop of the Tab key; the arrow keys move among the pictures.
    const buttons = [...this.list.querySelectorAll('button')];
    const stop = Math.min(focus ?? 0, buttons.length - 1);
    buttons.forEach((button, index) => {
      button.tabIndex = index === stop ? 0 : -1;
    });
    if (focus !== undefined) buttons[stop].focus();
  }
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
