// A hand that draws: the outlines of an emoji as strokes of a pointer.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { emojiClasses } from '../../datasets/emoji.ts';

/** In shares of the side of a square. */
export type Stroke = readonly { readonly x: number; readonly y: number }[];

/** Distance between the points of a stroke, as a share of the side. */
const PACE = 0.025;

/** How a set draws a class: the content of an SVG, and the side of its square. */
export async function emojiDrawing(
  className: string,
  set: string,
): Promise<{ readonly body: string; readonly side: number }> {
  const icon = (await emojiClasses()).find(({ name }) => name === className)?.icons[set];
  if (icon === undefined) throw new Error(`${set} has no emoji of the class ${className}`);
  const { icons, width = 16 } = JSON.parse(
    await readFile(createRequire(import.meta.url).resolve(`@iconify-json/${set}/icons.json`), 'utf8'),
  ) as { icons: Record<string, { body: string }>; width?: number };
  return { body: icons[icon].body, side: width };
}

/** The outlines of a class as a set draws it; the browser measures its curves. */
export async function emojiStrokes(page: Page, className: string, set: string): Promise<Stroke[]> {
  return page.evaluate(
    ({ body, side, pace }) => {
      const holder = document.createElement('div');
      holder.innerHTML = `<svg viewBox="0 0 ${side} ${side}" width="${side}" height="${side}" style="position: absolute; visibility: hidden">${body}</svg>`;
      document.body.append(holder);
      const svg = holder.firstElementChild as SVGSVGElement;
      const strokes: { x: number; y: number }[][] = [];
      for (const shape of svg.querySelectorAll<SVGGeometryElement>(
        'path, circle, ellipse, rect, line, polyline, polygon',
      )) {
        const place = shape.getCTM() as DOMMatrix;
        const length = shape.getTotalLength();
        const points = Math.max(1, Math.ceil(length / (pace * side)));
        let stroke: { x: number; y: number }[] = [];
        for (let point = 0; point <= points; point++) {
          const { x, y } = shape.getPointAtLength((length * point) / points).matrixTransform(place);
          const last = stroke[stroke.length - 1];
          // Between the parts of a path the pen is lifted.
          if (last !== undefined && Math.hypot(x / side - last.x, y / side - last.y) > 1.5 * pace) {
            strokes.push(stroke);
            stroke = [];
          }
          stroke.push({ x: x / side, y: y / side });
        }
        strokes.push(stroke);
      }
      holder.remove();
      return strokes.filter((stroke) => stroke.length > 1);
    },
    { ...(await emojiDrawing(className, set)), pace: PACE },
  );
}

/**
 * Draws strokes on the pad, with the mouse.
 * @param quickly whether the mouse moves on before the page has seen its last movement: for strokes of many points. A
 * browser then joins movements, which moves points by a fraction of a pixel
 */
export async function draw(page: Page, strokes: readonly Stroke[], { quickly = false } = {}): Promise<void> {
  const pad = page.locator('#pad');
  await pad.scrollIntoViewIfNeeded();
  const box = await pad.boundingBox();
  if (box === null) throw new Error('the pad is not on the page');
  const move = ({ x, y }: Stroke[number]): Promise<void> =>
    page.mouse.move(box.x + x * box.width, box.y + y * box.height);
  for (const [first, ...rest] of strokes) {
    await move(first);
    await page.mouse.down();
    if (quickly) await Promise.all(rest.map(move));
    else for (const point of rest) await move(point);
    await liftPen(page);
  }
}

/** Releases the mouse, and waits until the page has heard of it: until then it may answer to a part of the drawing. */
export async function liftPen(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      void Object.assign(globalThis, {
        penLifted: new Promise((resolve) =>
          document.addEventListener('pointerup', () => setTimeout(resolve), { once: true }),
        ),
      }),
  );
  await page.mouse.up();
  await page.evaluate(() => (globalThis as unknown as { penLifted: Promise<unknown> }).penLifted);
}
