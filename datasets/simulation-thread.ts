// A thread that draws simulated sketches.
import { drawByHand, DRAWING_HAND, PICTURE_HAND } from '../src/data/sketch-simulation.ts';
import { decodeStrokes, drawStrokes } from '../src/data/strokes.ts';
import { serveTasks } from '../src/platform/node/serve-tasks.ts';
import { RandomStream, STREAM } from '../src/random/philox.ts';

/** A sketch that is to be drawn. */
export interface SimulationTask {
  /** See `encodeStrokes`. */
  readonly strokes: Uint8Array;
  /** Whether the strokes are the edges of a picture or a person's drawing. */
  readonly from: 'picture' | 'drawing';
  readonly seed: number;
  readonly address: readonly [number, number];
  readonly size: number;
}

serveTasks({
  draw({ strokes, from, seed, address, size }: SimulationTask) {
    const drawn = drawByHand(
      decodeStrokes(strokes),
      from === 'picture' ? PICTURE_HAND : DRAWING_HAND,
      new RandomStream(seed, STREAM.simulation, address),
    );
    const output = drawStrokes(drawn.strokes, drawn.pen, size);
    return { output, transfer: [output.buffer as ArrayBuffer] };
  },
});
