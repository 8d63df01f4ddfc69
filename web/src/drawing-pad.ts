import type { DecodedPicture } from '../../src/data/resample.ts';
import { MOST_SKETCHES } from '../../src/retrieval/mean-embedding.ts';
import { fileOf, NOTHING, pictureOf, smallBitmap, type Content, type OtherSketch } from './pad-content.ts';
import { PadHistory } from './pad-history.ts';
import { paintPad } from './pad-painting.ts';
import { touches, type Point, type Stroke } from './strokes.ts';

/** A stroke is erased from this distance on, as a share of the side: a finger hits a thin line. */
const ERASER_RADIUS = 0.025;

/** Frames of the screen in which strokes are drawn by themselves. */
const DRAWING_FRAMES = 60;

/** A pointer that is down. */
interface Gesture {
  readonly pointer: number;
  /** What it draws; undefined where it erases. */
  readonly stroke: Point[] | undefined;
  last: Point;
  /** Whether it has changed anything: all that one gesture erases is one change. */
  changed: boolean;
}

/** A canvas to draw and erase on by pointer, or to lay a picture on. */
export class DrawingPad {
  private readonly context: CanvasRenderingContext2D;
  private readonly history = new PadHistory();
  private gesture: Gesture | undefined;
  /** Whether pointers erase the strokes that they touch. */
  erasing = false;
  private laidUnder: ImageBitmap | undefined;

  /**
   * @param onChange hears when a stroke ends, is taken back, or a picture comes: whenever there is something new to
   * search by
   * @param onMove hears of each movement of a pointer that draws or erases; `onChange` follows when it ends
   */
  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly onChange: () => void,
    private readonly onMove: () => void = () => undefined,
  ) {
    this.context = canvas.getContext('2d') as CanvasRenderingContext2D;
    canvas.addEventListener('pointerdown', (event) => this.begin(event));
    canvas.addEventListener('pointermove', (event) => this.extend(event));
    for (const type of ['pointerup', 'pointercancel'] as const)
      canvas.addEventListener(type, (event) => this.end(event));
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  /** Whether there is no drawing; other sketches may be stored beside it. */
  get empty(): boolean {
    return this.content.strokes.length === 0 && this.content.backdrop === undefined;
  }

  /** What was drawn and not erased. */
  get strokes(): readonly Stroke[] {
    return this.content.strokes;
  }

  /** What is there, in words. */
  get description(): string {
    const {
      strokes: { length },
      backdrop,
    } = this.content;
    const strokes = length === 0 ? [] : [`${length} ${length === 1 ? 'stroke' : 'strokes'}`];
    return [...(backdrop === undefined ? [] : ['a picture']), ...strokes].join(' and ') || 'empty';
  }

  /** The stored sketches, in their order. */
  get others(): readonly OtherSketch[] {
    return this.content.others;
  }

  get canPutAside(): boolean {
    return !this.empty && this.others.length < MOST_SKETCHES - 1;
  }

  /** A picture to draw over. It is shown faintly under the strokes, and is no part of what is there. */
  set underlay(picture: ImageBitmap | undefined) {
    this.laidUnder?.close();
    this.laidUnder = picture;
    this.paint();
  }

  get canUndo(): boolean {
    return this.history.canUndo;
  }

  get canRedo(): boolean {
    return this.history.canRedo;
  }

  /** Takes back the last stroke, erasing, picture or clearing. */
  undo(): void {
    this.gesture = undefined;
    this.history.undo();
    this.changed();
  }

  /** Does again what was undone last, until there is another change. */
  redo(): void {
    this.gesture = undefined;
    this.history.redo();
    this.changed();
  }

  /** Puts the drawing aside for another one: both search together. */
  putAside(): void {
    if (!this.canPutAside) return;
    this.gesture = undefined;
    this.history.change({
      ...NOTHING,
      others: [
        ...this.others,
        {
          picture: pictureOf(this.content),
          bitmap: this.content.strokes.length === 0 ? this.content.backdrop?.bitmap : undefined,
        },
      ],
    });
    this.changed();
  }

  /** Removes a stored sketch. */
  removeOther(index: number): void {
    this.gesture = undefined;
    this.history.change({ ...this.content, others: this.others.filter((_, place) => place !== index) });
    this.changed();
  }

  clear(): void {
    this.gesture = undefined;
    if (!this.empty) this.history.change({ ...NOTHING, others: this.others });
    // A picture that is being decoded does not come any more.
    this.history.count();
    this.changed();
  }

  /**
   * Draws strokes in place of what is there, one after the other as a hand does; where the visitor wants no motion, at
   * once. Any other change ends it.
   */
  async draw(strokes: readonly Stroke[]): Promise<void> {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const points = strokes.reduce((sum, { length }) => sum + length, 0);
    const pace = still ? points : points / DRAWING_FRAMES;
    this.gesture = undefined;
    if (!this.empty) this.history.change({ ...NOTHING, others: this.others });
    let [drawn, due] = [0, pace];
    for (const stroke of strokes) {
      const growing: Point[] = [];
      this.history.change({ ...this.content, strokes: [...this.content.strokes, growing] });
      const change = this.history.changes;
      for (const point of stroke) {
        if (drawn++ >= due) {
          due += pace;
          this.paint();
          await nextFrame();
          if (change !== this.history.changes) return;
        }
        growing.push(point);
      }
      this.changed();
    }
  }

  /**
   * Takes a picture in place of what is there, unless something else comes first. @throws DOMException where it cannot
   * be decoded
   */
  async show(picture: Blob): Promise<void> {
    const change = this.history.count();
    try {
      const bitmap = await smallBitmap(picture);
      if (change !== this.history.changes) return;
      this.gesture = undefined;
      this.history.change({ ...this.content, strokes: [], backdrop: { picture, bitmap } });
      this.changed();
    } catch (error) {
      if (change === this.history.changes) throw error;
    }
  }

  /**
   * What to search by: the stored sketches, and the drawing on the pad (`pictureOf`). Undefined where there is
   * neither.
   */
  query(): (Blob | DecodedPicture)[] | undefined {
    const sketches = [...this.others.map(({ picture }) => picture), ...(this.empty ? [] : [pictureOf(this.content)])];
    return sketches.length === 0 ? undefined : sketches;
  }

  /** `query` as files. */
  files(): Promise<Blob[]> {
    return Promise.all((this.query() ?? []).map(fileOf));
  }

  /** What is there, as a file; nothing for an empty pad. */
  async file(): Promise<Blob | undefined> {
    return this.empty ? undefined : fileOf(pictureOf(this.content));
  }

  private get content(): Content {
    return this.history.content;
  }

  private begin(event: PointerEvent): void {
    // A second finger, or the palm beside a pen, draws nothing.
    if (event.button !== 0 || this.gesture !== undefined) return;
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.place(event);
    this.gesture = { pointer: event.pointerId, stroke: this.erasing ? undefined : [], last: place, changed: false };
    if (this.gesture.stroke !== undefined) {
      this.history.change({ ...this.content, strokes: [...this.content.strokes, this.gesture.stroke] });
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
    if (gesture.changed) this.history.amend(content);
    else this.history.change(content);
    gesture.changed = true;
  }

  private end(event: PointerEvent): void {
    if (this.gesture?.pointer !== event.pointerId) return;
    const { changed } = this.gesture;
    this.gesture = undefined;
    if (changed) this.onChange();
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
    paintPad(this.context, this.content, this.laidUnder);
  }
}

const nextFrame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));
