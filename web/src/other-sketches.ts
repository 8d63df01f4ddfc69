import type { DrawingPad } from './drawing-pad.ts';
import { element } from './page.ts';
import { SIDE, type OtherSketch } from './pad-content.ts';

/**
 * Several sketches for one query. A button puts the drawing aside and clears the pad for another one. A list shows the
 * the stored sketches, as thumbnails; a click on one removes it.
 * @param say tells screen readers what was done
 * @returns a function that shows the stored sketches; call it after each change of them
 */
export function offerOtherSketches(pad: DrawingPad, say: (done: string) => void): () => void {
  const add = element<HTMLButtonElement>('add-sketch');
  const list = element('other-sketches');
  let shown: readonly OtherSketch[] = [];
  add.addEventListener('click', () => {
    pad.putAside();
    say(`Sketch ${pad.others.length} is kept. Draw the next one; they search together`);
  });
  const remove = (index: number): void => {
    pad.removeOther(index);
    say(`Sketch ${index + 1} is removed; ${pad.others.length} kept`);
    // The button that had the focus is gone.
    (list.querySelectorAll('button')[Math.min(index, pad.others.length - 1)] ?? pad.canvas).focus({
      preventScroll: true,
    });
  };
  return () => {
    add.disabled = !pad.canPutAside;
    if (pad.others === shown) return;
    shown = pad.others;
    list.hidden = shown.length === 0;
    list.replaceChildren(...shown.map((sketch, index) => entry(sketch, index, () => remove(index))));
  };
}

function entry({ picture, bitmap }: OtherSketch, index: number, onRemove: () => void): HTMLLIElement {
  const canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
  const context = canvas.getContext('2d');
  if (bitmap !== undefined) context?.drawImage(bitmap, 0, 0, SIDE, SIDE);
  else if (!(picture instanceof Blob))
    context?.putImageData(new ImageData(picture.data as Uint8ClampedArray<ArrayBuffer>, picture.width), 0, 0);
  const button = Object.assign(document.createElement('button'), {
    type: 'button',
    ariaLabel: `Remove sketch ${index + 1}`,
    title: 'Remove this sketch',
  });
  button.append(canvas, '×');
  button.addEventListener('click', onRemove);
  const item = document.createElement('li');
  item.append(button);
  return item;
}
