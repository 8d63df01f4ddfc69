import type { Collection } from './collections.ts';
import { element, explain, nameElement } from './page.ts';
import { bitmapOf, type Tile } from './pictures.ts';

/**
 * A dialog with one picture, large: its name, its similarity, copies for the clipboard, and a search for more like it.
 */
export class PictureDialog {
  private readonly dialog = element<HTMLDialogElement>('picture');
  private shown: { readonly collection: Collection; readonly index: number } | undefined;

  /**
   * @param onLike hears that pictures like this one are wanted
   * @param onTrace hears that this one is to be drawn over
   */
  constructor(
    onLike: (collection: Collection, index: number) => void,
    onTrace: (collection: Collection, index: number) => void,
  ) {
    const on = (id: string, action: (collection: Collection, index: number) => unknown): void =>
      element(id).addEventListener('click', () => {
        if (this.shown !== undefined) void action(this.shown.collection, this.shown.index);
      });
    for (const [id, use] of [
      ['picture-like', onLike],
      ['picture-trace', onTrace],
    ] as const) {
      on(id, (collection, index) => {
        // Also the dialog from which this one was opened.
        for (const dialog of document.querySelectorAll<HTMLDialogElement>('dialog[open]')) dialog.close();
        use(collection, index);
      });
    }
    on('picture-remove', async (collection, index) => {
      if (collection.kind !== 'pictures') return;
      // First: the keyboard goes on at the pictures behind the dialog, which are others then.
      this.dialog.close();
      await collection.remove?.(index);
    });
    on('copy-name', ({ names }, index) => this.copy('The name', navigator.clipboard.writeText(names[index])));
    on('copy-picture', (collection, index) => {
      if (collection.kind === 'indexed')
        return this.copy(
          'The SVG',
          collection.svg(index).then((svg) => navigator.clipboard.writeText(svg)),
        );
      return this.copy(
        'The picture',
        navigator.clipboard.write([new ClipboardItem({ 'image/png': pngOf(collection.picture(index)) })]),
      );
    });
    // Pages without https have no clipboard; some browsers take texts only.
    element('copy-name').hidden = !('clipboard' in navigator);
    element('copy-picture').hidden = !('clipboard' in navigator && 'ClipboardItem' in globalThis);
  }

  /** An entry of a list that opens the dialog. @param similarity left out where nothing was searched */
  entry(collection: Collection, index: number, similarity?: number): HTMLLIElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.ariaHasPopup = 'dialog';
    const thumbnail = collection.thumbnail(index);
    // Its name is beside it.
    thumbnail.ariaHidden = 'true';
    button.append(thumbnail, nameElement(collection.names[index]));
    if (collection.kind === 'indexed')
      button.append(
        Object.assign(document.createElement('span'), {
          className: 'score about',
          textContent: collection.about(index),
        }),
      );
    if (similarity !== undefined)
      button.append(
        Object.assign(document.createElement('span'), { className: 'score', textContent: ` ${similarity.toFixed(2)}` }),
      );
    button.addEventListener('click', () => this.show(collection, index, similarity));
    const entry = document.createElement('li');
    entry.append(button);
    return entry;
  }

  private show(collection: Collection, index: number, similarity?: number): void {
    this.shown = { collection, index };
    const picture = collection.thumbnail(index);
    picture.ariaHidden = 'true';
    element('picture-large').replaceChildren(picture);
    element('picture-name').replaceChildren(nameElement(collection.names[index]));
    const about = collection.kind === 'indexed' ? [`${collection.about(index)}.`] : [];
    const likeness = similarity === undefined ? [] : [`Similarity ${similarity.toFixed(3)}, where 1 is equal.`];
    element('picture-similarity').textContent = [...about, ...likeness].join(' ');
    element('copy-picture').textContent = collection.kind === 'indexed' ? 'Copy the SVG' : 'Copy the picture';
    element('picture-remove').hidden = collection.kind !== 'pictures' || collection.remove === undefined;
    element('picture-said').textContent = '';
    this.dialog.showModal();
  }

  private async copy(what: string, copying: Promise<void>): Promise<void> {
    const said = await copying.then(
      () => `${what} is copied.`,
      (error: unknown) => `${what} cannot be copied: ${explain(error)}`,
    );
    element('picture-said').textContent = said;
  }
}

async function pngOf(picture: Blob | Tile): Promise<Blob> {
  const bitmap = await bitmapOf(picture);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: 'image/png' });
}
