import { DrawingPad } from './drawing-pad.ts';
import { offerPictures } from './offer-pictures.ts';
import { offerOtherSketches } from './other-sketches.ts';
import { element, explain, trouble } from './page.ts';

const markup = (pictures: string): string => `
  <canvas id="pad" tabindex="0" role="img" aria-label="Drawing area. Draw with a finger, a pen or a mouse; or paste or drop a picture. Control-Z undoes, Control-Y redoes, E is the eraser, Delete clears."></canvas>
  <div class="row tools">
    <button id="eraser" type="button" aria-pressed="false" aria-keyshortcuts="E">Eraser</button>
    <button id="undo" type="button" aria-keyshortcuts="Control+Z" disabled>Undo</button>
    <button id="redo" type="button" aria-keyshortcuts="Control+Y Control+Shift+Z" disabled>Redo</button>
    <button id="clear" type="button" aria-keyshortcuts="Delete" disabled>Clear</button>
    <label class="button">Use a picture<input id="query-file" type="file" accept="${pictures}" class="file" /></label>
    <button id="add-sketch" type="button" disabled>Add another sketch</button>
  </div>
  <ul id="other-sketches" class="row others" aria-label="Sketches that search together with the drawing" hidden></ul>
  <p id="pad-said" role="status" class="unseen"></p>
  <p class="hint">Black lines on white. You can also paste or drop a picture here. Keys: <kbd>Ctrl Z</kbd> undo, <kbd>Ctrl Y</kbd> redo, <kbd>E</kbd> eraser, <kbd>Delete</kbd> clear.</p>`;

/**
 * Fills the page's part #sketch: the pad, its buttons and keys, and the choice of a picture in its place.
 * @param pictures the types that can be chosen, as an input's `accept` has them
 * @param onChange hears when there is something new to search by
 * @param onMove hears of each movement of the pen
 */
export function sketchPad(pictures: string, onChange: () => void, onMove?: () => void): DrawingPad {
  const section = element('sketch');
  section.insertAdjacentHTML('beforeend', markup(pictures));
  const [eraser, undo, redo, clear] = ['eraser', 'undo', 'redo', 'clear'].map((id) => element<HTMLButtonElement>(id));
  const pad = new DrawingPad(
    element<HTMLCanvasElement>('pad'),
    () => {
      keepFocus(() => {
        undo.disabled = !pad.canUndo;
        redo.disabled = !pad.canRedo;
        clear.disabled = pad.empty;
        showOthers();
      });
      onChange();
    },
    onMove,
  );
  /** A browser takes the focus from a button that it disables: it goes to the pad, so that the keys go on to work. */
  const keepFocus = (change: () => void): void => {
    const focused = document.activeElement;
    change();
    if (focused instanceof HTMLButtonElement && focused.disabled && section.contains(focused))
      pad.canvas.focus({ preventScroll: true });
  };
  const say = (done: string): void =>
    void (element('pad-said').textContent = `${done}. On the pad: ${pad.description}.`);
  const actions = {
    eraser: () => {
      pad.erasing = !pad.erasing;
      eraser.ariaPressed = String(pad.erasing);
      pad.canvas.classList.toggle('erasing', pad.erasing);
      say(pad.erasing ? 'Eraser: it takes away the strokes that it touches' : 'Pen');
    },
    undo: () => {
      if (!pad.canUndo) return;
      pad.undo();
      say('Undone');
    },
    redo: () => {
      if (!pad.canRedo) return;
      pad.redo();
      say('Redone');
    },
    clear: () => {
      pad.clear();
      say('Cleared');
    },
  };
  const showOthers = offerOtherSketches(pad, say);
  for (const [id, action] of Object.entries(actions)) element(id).addEventListener('click', action);
  section.addEventListener('keydown', (event) => {
    const action = shortcut(event);
    if (action === undefined) return;
    event.preventDefault();
    actions[action]();
  });
  offerPictures(pad, element<HTMLInputElement>('query-file'), (error) => trouble(explain(error)));
  return pad;
}

function shortcut({
  key,
  ctrlKey,
  metaKey,
  altKey,
  shiftKey,
}: KeyboardEvent): 'eraser' | 'undo' | 'redo' | 'clear' | undefined {
  const letter = key.toLowerCase();
  if (altKey) return undefined;
  if (ctrlKey || metaKey) {
    if (letter === 'z') return shiftKey ? 'redo' : 'undo';
    return letter === 'y' ? 'redo' : undefined;
  }
  if (letter === 'e') return 'eraser';
  return key === 'Delete' || key === 'Backspace' ? 'clear' : undefined;
}
