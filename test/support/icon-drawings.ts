// Twenty drawings of common things, made with a mouse on the page's pad, and which icons they find there.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { nounWords } from '../../datasets/nouns.ts';
import type { DrawingPad } from '../../web/src/drawing-pad.ts';
import { parseStroke } from '../../web/src/strokes.ts';
import { draw, type Stroke } from './emoji-strokes.ts';
import { answered, found } from './web-page.ts';

/** Results that a visitor looks at. */
export const TOP = 10;

/** Drawings of the twenty whose icon is to be among them: what a search model must reach. */
export const DRAWINGS_GOAL = 14;

export interface IconDrawing {
  readonly word: string;
  /**
   * An icon is right where its name begins with one of these, without words of style: "home-2-outline" for "home", not
   * "folder-home".
   */
  readonly nouns: readonly string[];
  /** As the pad recorded them, in hundredths of its side: "x,y x,y". */
  readonly strokes: readonly string[];
}

/** What the shipped model finds. */
export interface FoundDrawings {
  /** The checksum of the model that it was recorded with. */
  readonly model: string;
  /** The words of the drawings that have a right icon among the first TOP. */
  readonly found: readonly string[];
}

export const DRAWINGS_FILE = fileURLToPath(new URL('../web/icon-drawings.json', import.meta.url));
export const FOUND_FILE = fileURLToPath(new URL('../web/icon-drawings-found.json', import.meta.url));

export const readDrawings = async (): Promise<IconDrawing[]> =>
  JSON.parse(await readFile(DRAWINGS_FILE, 'utf8')) as IconDrawing[];

export const readFound = async (): Promise<FoundDrawings> =>
  JSON.parse(await readFile(FOUND_FILE, 'utf8')) as FoundDrawings;

/** @param icon such as tabler:home-2 */
export function isRight(icon: string, nouns: readonly string[]): boolean {
  const words = nounWords(icon.slice(icon.indexOf(':') + 1));
  return nouns.some((noun) => nounWords(noun).every((word, place) => words[place] === word));
}

/** The words of the drawings that have a right icon among their first TOP. */
export function wordsFound(drawings: readonly IconDrawing[], icons: readonly (readonly string[])[]): string[] {
  return drawings
    .filter(({ nouns }, place) => icons[place].slice(0, TOP).some((icon) => isRight(icon, nouns)))
    .map(({ word }) => word);
}

/** Chooses the icons, and waits until they can be searched. */
export async function chooseIcons(page: Page): Promise<void> {
  await page.selectOption('#collection', { index: 2 });
  await page.waitForSelector('#filters:not([hidden])');
  await answered(page);
}

/** What the page made of one drawing. */
export interface PageAnswer {
  readonly icons: readonly string[];
  /** The strokes as the pad holds them. */
  readonly strokes: readonly Stroke[];
  /** The picture that the pad hands over, as a PNG file. */
  readonly png: Buffer;
}

/** Draws with the mouse on the empty pad and clears it again. */
export async function drawAndSearch(page: Page, { strokes }: Pick<IconDrawing, 'strokes'>): Promise<PageAnswer> {
  await draw(page, strokes.map(parseStroke), { quickly: true });
  await answered(page);
  const icons = await found(page);
  const held = await page.evaluate(async () => {
    const { sketchgradPad } = globalThis as unknown as { sketchgradPad: DrawingPad };
    const bytes = new Uint8Array(await ((await sketchgradPad.file()) as Blob).arrayBuffer());
    return { strokes: sketchgradPad.strokes, png: [...bytes] };
  });
  await page.click('#clear');
  await answered(page);
  return { icons, strokes: held.strokes, png: Buffer.from(held.png) };
}
