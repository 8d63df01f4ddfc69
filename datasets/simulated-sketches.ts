/**
 * Sketches that are drawn when they are read, in a thread: of pictures by their edges, and of people's drawings once
 * more.
 */
import { edgeStrokes } from '../src/data/edges.ts';
import type { ImageDraw } from '../src/data/dataset.ts';
import { simplified } from '../src/data/sketch-simulation.ts';
import { decodeStrokes, drawStrokes, encodeStrokes, fitStrokes, type Stroke } from '../src/data/strokes.ts';
import { WorkerThreads } from '../src/platform/node/worker-threads.ts';
import type { SimulationTask } from './simulation-thread.ts';

/** What a sketch is drawn from. */
export interface SketchStrokes {
  /** See `encodeStrokes`. */
  readonly strokes: Uint8Array;
  readonly from: SimulationTask['from'];
}

/** Side in pixels at which the edges of pictures are looked for. */
export const EDGE_SIDE = 96;
/** Bytes of the strokes of a picture or a drawing. */
export const STROKE_BYTES = 3072;
/** Edges are kept with this share of the side of tolerance, which is finer than any hand that draws them. */
const KEPT_TOLERANCE = 0.003;
/** Pen width of a sketch that is read without a draw, as a share of the side. */
const PEN = 8 / 256;

/**
 * The edges of a picture. @param pixels RGB u8, [EDGE_SIDE, EDGE_SIDE, 3] @returns [STROKE_BYTES], the first 0 where
 * there is no edge
 */
export const pictureStrokes = (pixels: Uint8Array): Uint8Array =>
  encodeStrokes(
    edgeStrokes(pixels, EDGE_SIDE).map((stroke) => simplified(stroke, KEPT_TOLERANCE)),
    STROKE_BYTES,
  );

/** The strokes of a person's drawing, in any units. @returns [STROKE_BYTES] */
export const drawingStrokes = (strokes: readonly Stroke[]): Uint8Array =>
  encodeStrokes(fitStrokes(strokes, 0), STROKE_BYTES);

/** Draws sketches in one thread, which does not keep the process from ending. */
export class SketchDrawer {
  private readonly threads = new WorkerThreads(
    new URL(`./simulation-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
    undefined,
    1,
  );

  /**
   * @param draw decides the drawing; without one the strokes are drawn as they are
   * @returns RGB u8, [size, size, 3]
   */
  async draw({ strokes, from }: SketchStrokes, size: number, draw: ImageDraw | undefined): Promise<Uint8Array> {
    if (draw === undefined) return drawStrokes(fitStrokes(decodeStrokes(strokes), PEN), PEN, size);
    // A copy of its own: of a part of a buffer, a thread would get all of it.
    const task: SimulationTask = {
      strokes: new Uint8Array(strokes),
      from,
      seed: draw.seed,
      address: draw.address,
      size,
    };
    return this.threads.run('draw', task);
  }
}
