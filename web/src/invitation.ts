import type { DrawingPad } from './drawing-pad.ts';
import sketches from './example-sketches.json' with { type: 'json' };
import { element } from './page.ts';
import { parseStroke } from './strokes.ts';

const SVG = 'http://www.w3.org/2000/svg';

/** Fills the list of example sketches. A click draws one on the pad. */
export function invite(pad: DrawingPad): void {
  element('examples').replaceChildren(
    ...sketches.map(({ name, strokes }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(outline(strokes), name);
      button.addEventListener('click', () => {
        // The button disappears with the invitation: the keyboard goes on at the pad.
        pad.canvas.focus({ preventScroll: true });
        void pad.draw(strokes.map(parseStroke));
      });
      const entry = document.createElement('li');
      entry.append(button);
      return entry;
    }),
  );
}

function outline(strokes: readonly string[]): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '-4 -4 108 108');
  svg.setAttribute('aria-hidden', 'true');
  for (const points of strokes) {
    const line = document.createElementNS(SVG, 'polyline');
    line.setAttribute('points', points);
    svg.append(line);
  }
  return svg;
}
