import type { DecodedPicture } from '../../src/data/resample.ts';
import { touches, visibleBounds, type Point, type Stroke } from './strokes.ts';

/** Side of the picture that is handed over, in pixels. */
const SIDE = 256;
/** Share of the side that stays white around what was drawn. */
const MARGIN = 0.06;
/** Width of a line on the pad, and in the picture, as a share of the side. */
const LINE = 0.022;
/** A stroke is erased from this distance on, as a share of the side: a finger hits a thin line. */
const ERASER_RADIUS = 0.025;
/** The longer side of a picture as the pad holds it, in pixels. */
const SHOWN_SIDE = 1024;
/** Frames of the screen in which strokes are drawn by themselves. */
const DRAWING_FRAMES = 60;
/** Changes that can be taken back. */
const HISTORY = 500;

interface Backdrop {
  readonly picture: Blob;
  readonly bitmap: ImageBitmap;
}

/** What is on the pad. */
interface Content {
  readonly strokes: readonly Stroke[];
  readonly backdrop: Backdrop | undefined;
}

/** A pointer that is down. */
interface Gesture {
  readonly pointer: number;
  /** What it draws; undefined where it erases. */
  readonly stroke: Point[] | undefined;
  last: Point;
  /** Whether it has changed anything: all that one gesture erases is one change. */
  changed: boolean;
}

const NOTHING: Content = { strokes: [], backdrop: undefined };

/** A canvas to draw and erase on by pointer, or to lay a picture on. */
export class DrawingPad {
  private readonly context: CanvasRenderingContext2D;
  private content = NOTHING;
  /** What was there before each change. */
  private readonly history: Content[] = [];
  /** What was undone, the last of it at the end. */
  private readonly undone: Content[] = [];
  private gesture: Gesture | undefined;
  /** Whether pointers erase the strokes that they touch. */
  erasing = false;
  /** Counts changes: a picture that takes long to decode does not replace what came after it. */
  private changes = 0;

  /**
   * @param onChange hears when a stroke ends, is taken back, or a picture comes: whenever there is something new to search by
   * @param onMove hears of each movement of a pointer that draws or erases; `onChange` follows when it ends
   */
  constructor(readonly canvas: HTMLCanvasElement, private readonly onChange: () => void, private readonly onMove: () => void = () => undefined) {
    this.context = canvas.getContext('2d') as CanvasRenderingContext2D;
    canvas.addEventListener('pointerdown', (event) => this.begin(event));
    canvas.addEventListener('pointermove', (event) => this.extend(event));
    for (const type of ['pointerup', 'pointercancel'] as const) canvas.addEventListener(type, (event) => this.end(event));
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  get empty(): boolean {
    return this.content.strokes.length === 0 && this.content.backdrop === undefined;
  }

  /** What was drawn and not erased. */
  get strokes(): readonly Stroke[] {
    return this.content.strokes;
  }

  /** What is there, in words. */
  get description(): string {
    const { strokes: { length }, backdrop } = this.content;
    const strokes = length === 0 ? [] : [`${length} ${length === 1 ? 'stroke' : 'strokes'}`];
    return [...(backdrop === undefined ? [] : ['a picture']), ...strokes].join(' and ') || 'empty';
  }

  get canUndo(): boolean {
    return this.history.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Takes back the last stroke, erasing, picture or clearing. */
  undo(): void {
    this.step(this.history, this.undone);
  }

  /** Does again what was undone last, until there is another change. */
  redo(): void {
    this.step(this.undone, this.history);
  }

  clear(): void {
    this.gesture = undefined;
    if (!this.empty) this.change(NOTHING);
    // A picture that is being decoded does not come any more.
    this.changes++;
    this.changed();
  }

  /** Draws strokes in place of what is there, one after the other as a hand does; where the visitor wants no motion, at once. Any other change ends it. */
  async draw(strokes: readonly Stroke[]): Promise<void> {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const points = strokes.reduce((sum, { length }) => sum + length, 0);
    const pace = still ? points : points / DRAWING_FRAMES;
    this.gesture = undefined;
    if (!this.empty) this.change(NOTHING);
    let [drawn, due] = [0, pace];
    for (const stroke of strokes) {
      const growing: Point[] = [];
      this.change({ ...this.content, strokes: [...this.content.strokes, growing] });
      const change = this.changes;
      for (const point of stroke) {
        if (drawn++ >= due) {
          due += pace;
          this.paint();
          await nextFrame();
          if (change !== this.changes) return;
        }
        growing.push(point);
      }
      this.changed();
    }
  }

  /** Takes a picture in place of what is there, unless something else comes first. @throws DOMException where it cannot be decoded */
  async show(picture: Blob): Promise<void> {
    const change = ++this.changes;
    try {
      const bitmap = await smallBitmap(picture);
      if (change !== this.changes) return;
      this.gesture = undefined;
      this.change({ strokes: [], backdrop: { picture, bitmap } });
      this.changed();
    } catch (error) {
      if (change === this.changes) throw error;
    }
  }

  /**
   * What is there. A picture is handed over as it came, so that its numbers are those of any other runtime; a drawing is cut
   * to its bounds: networks have seen sketches that fill their square.
   */
  picture(): Blob | DecodedPicture {
    const { strokes, backdrop } = this.content;
    if (backdrop !== undefined && strokes.length === 0) return backdrop.picture;
    const context = new OffscreenCanvas(SIDE, SIDE).getContext('2d') as OffscreenCanvasRenderingContext2D;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, SIDE, SIDE);
    if (backdrop !== undefined) context.drawImage(backdrop.bitmap, 0, 0, SIDE, SIDE);
    const bounds = backdrop === undefined ? visibleBounds(strokes) : undefined;
    if (bounds !== undefined) {
      const extent = Math.max(bounds.right - bounds.left, bounds.bottom - bounds.top, 0.05);
      const scale = (SIDE * (1 - 2 * MARGIN)) / extent;
      const centre = { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2 };
      const place = ({ x, y }: Point): Point => ({ x: SIDE / 2 + (x - centre.x) * scale, y: SIDE / 2 + (y - centre.y) * scale });
      // What the pad does not show is not in the picture either.
      const corner = place({ x: 0, y: 0 });
      context.beginPath();
      context.rect(corner.x, corner.y, scale, scale);
      context.clip();
      drawStrokes(context, strokes, place, LINE * SIDE);
    } else {
      drawStrokes(context, strokes, ({ x, y }) => ({ x: x * SIDE, y: y * SIDE }), LINE * SIDE);
    }
    return context.getImageData(0, 0, SIDE, SIDE);
  }

  /** What is there, as a file; nothing for an empty pad. */
  async file(): Promise<Blob | undefined> {
    if (this.empty) return undefined;
    const drawn = this.picture();
    if (drawn instanceof Blob) return drawn;
    const { width, height, data } = drawn;
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d')?.putImageData(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height), 0, 0);
    return canvas.convertToBlob({ type: 'image/png' });
  }

  private begin(event: PointerEvent): void {
    // A second finger, or the palm beside a pen, draws nothing.
    if (event.button !== 0 || this.gesture !== undefined) return;
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.place(event);
    this.gesture = { pointer: event.pointerId, stroke: this.erasing ? undefined : [], last: place, changed: false };
    if (this.gesture.stroke !== undefined) {
      this.change({ ...this.content, strokes: [...this.content.strokes, this.gesture.stroke] });
      this.gesture.changed = true;
    }
    this.reach(this.gesture, place);
    this.paint();
  }

  private extend(event: PointerEvent): void {
    const { gesture } = this;
    if (gesture?.pointer !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length > 0 ? events : [event]) this.reach(gesture, this.place(each));
    this.paint();
    if (gesture.changed) this.onMove();
  }

  /** Draws or erases as far as a place. */
  private reach(gesture: Gesture, place: Point): void {
    const { stroke, last } = gesture;
    gesture.last = place;
    if (stroke !== undefined) {
      stroke.push(place);
      return;
    }
    const left = this.content.strokes.filter((each) => !touches(each, last, place, ERASER_RADIUS));
    if (left.length === this.content.strokes.length) return;
    const content = { ...this.content, strokes: left };
    if (gesture.changed) this.content = content;
    else this.change(content);
    gesture.changed = true;
  }

  private end(event: PointerEvent): void {
    if (this.gesture?.pointer !== event.pointerId) return;
    const { changed } = this.gesture;
    this.gesture = undefined;
    if (changed) this.onChange();
  }

  private step(from: Content[], to: Content[]): void {
    this.gesture = undefined;
    // A picture that is being decoded does not come any more.
    this.changes++;
    const content = from.pop();
    if (content !== undefined) {
      to.push(this.content);
      this.content = content;
    }
    this.changed();
  }

  private change(content: Content): void {
    this.changes++;
    this.undone.length = 0;
    this.history.push(this.content);
    if (this.history.length > HISTORY) this.history.shift();
    this.content = content;
  }

  private changed(): void {
    this.paint();
    this.onChange();
  }

  /** In shares of the pad's sides. */
  private place({ clientX, clientY }: PointerEvent): Point {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  }

  private paint(): void {
    const side = Math.max(1, Math.round(this.canvas.clientWidth * devicePixelRatio));
    if (this.canvas.width !== side || this.canvas.height !== side) this.canvas.width = this.canvas.height = side;
    this.context.fillStyle = '#fff';
    this.context.fillRect(0, 0, side, side);
    const { strokes, backdrop } = this.content;
    if (backdrop !== undefined) this.context.drawImage(backdrop.bitmap, 0, 0, side, side);
    drawStrokes(this.context, strokes, ({ x, y }) => ({ x: x * side, y: y * side }), LINE * side);
  }
}

/**
 * Lets a picture be chosen, dropped on the pad, or pasted.
 * @param onUnreadable hears of one that cannot be shown
 */
export function offerPictures(pad: DrawingPad, input: HTMLInputElement, onUnreadable: (error: Error) => void): void {
  const show = (picture: Blob | undefined): void => {
    if (picture === undefined) return;
    pad.show(picture).catch((cause: unknown) => onUnreadable(new Error(`This picture cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })));
  };
  input.addEventListener('change', () => {
    show(input.files?.[0]);
    input.value = '';
  });
  pad.canvas.addEventListener('dragover', (event) => event.preventDefault());
  pad.canvas.addEventListener('drop', (event) => {
    event.preventDefault();
    show(event.dataTransfer?.files[0]);
  });
  document.addEventListener('paste', (event) => show([...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'))));
}

const nextFrame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));

/** Decodes a picture, upright, and makes it as small as a pad needs it. */
async function smallBitmap(picture: Blob): Promise<ImageBitmap> {
  const bitmap = await createImageBitmap(picture, { imageOrientation: 'from-image' });
  const scale = SHOWN_SIDE / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return bitmap;
  const size = { resizeWidth: Math.max(1, Math.round(bitmap.width * scale)), resizeHeight: Math.max(1, Math.round(bitmap.height * scale)) };
  const small = await createImageBitmap(bitmap, { ...size, resizeQuality: 'high' });
  bitmap.close();
  return small;
}

function drawStrokes(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, strokes: readonly Stroke[], place: (point: Point) => Point, width: number): void {
  context.lineWidth = width;
  context.lineCap = context.lineJoin = 'round';
  context.strokeStyle = '#000';
  for (const stroke of strokes) {
    context.beginPath();
    stroke.map(place).forEach(({ x, y }, index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    if (stroke.length === 1) context.lineTo(place(stroke[0]).x + 0.01, place(stroke[0]).y);
    context.stroke();
  }
}
