import { DrawingPad, offerPictures } from './drawing-pad.ts';
import { element, explain, trouble } from './page.ts';

const markup = (pictures: string): string => `
  <canvas id="pad" tabindex="0" role="img" aria-label="Drawing area. Draw with a finger, a pen or a mouse; or paste or drop a picture. Control-Z takes back the last change, Delete clears."></canvas>
  <div class="row">
    <button id="undo" type="button" disabled>Undo</button>
    <button id="clear" type="button" disabled>Clear</button>
    <label class="button">Use a picture<input id="query-file" type="file" accept="${pictures}" class="file" /></label>
  </div>
  <p class="hint">Black lines on white. You can also paste or drop a picture here.</p>`;

/**
 * Fills the page's part #sketch: the pad, its buttons, and the choice of a picture in its place.
 * @param pictures the types that can be chosen, as an input's `accept` has them
 * @param onChange hears when there is something new to search by
 */
export function sketchPad(pictures: string, onChange: () => void): DrawingPad {
  element('sketch').insertAdjacentHTML('beforeend', markup(pictures));
  const [undo, clear] = ['undo', 'clear'].map((id) => element<HTMLButtonElement>(id));
  const pad = new DrawingPad(element<HTMLCanvasElement>('pad'), () => {
    undo.disabled = !pad.canUndo;
    clear.disabled = pad.empty;
    onChange();
  });
  undo.addEventListener('click', () => pad.undo());
  clear.addEventListener('click', () => pad.clear());
  offerPictures(pad, element<HTMLInputElement>('query-file'), (error) => trouble(explain(error)));
  return pad;
}
