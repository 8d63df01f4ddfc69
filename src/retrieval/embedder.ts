import type { Plan } from '../autodiff/plan.ts';
import { Program } from '../autodiff/program.ts';
import { planProgram } from '../autodiff/compile-program.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { ImageBatch, OrderedBatch } from '../data/loader.ts';

/** Runs a network over lists of images, a batch at a time, the next one submitted while one is under way. */
export class Embedder {
  readonly width: number;
  readonly batchSize: number;
  private readonly program: Program<'rows'>;

  private constructor(program: Program<'rows'>, batchSize: number, width: number) {
    this.program = program;
    this.batchSize = batchSize;
    this.width = width;
  }

  /**
   * @param rows [batch, width]: what is wanted of each image, computed from imageInput
   * @param onCompiled hears of each compiled pipeline
   */
  static async create(
    storage: DeviceStorage,
    rows: Tensor,
    onCompiled?: (done: number, total: number) => void,
  ): Promise<Embedder> {
    const [batchSize, width] = rows.shape;
    return new Embedder(
      await Program.compile(storage, { ...programOf(rows), onProgress: onCompiled }),
      batchSize,
      width,
    );
  }

  /** The plan that an embedder of these rows will have, for counting its memory. */
  static plan(storage: DeviceStorage, rows: Tensor): Promise<Plan> {
    return planProgram(storage, programOf(rows));
  }

  /**
   * Takes the network's weights as they are at the call.
   * @param batches from inOrder, of this embedder's batch size
   * @param count images in all
   * @param otherTransforms a second view of each image, [batch, TRANSFORM_FLOATS]. The rows then have to be of length 1, and
   *   each becomes the direction of the mean of both views' rows.
   * @returns [count, width]
   */
  async embed(
    batches: AsyncIterable<OrderedBatch>,
    count: number,
    onProgress?: (done: number) => void,
    otherTransforms?: Float32Array,
  ): Promise<Float32Array> {
    // Training may have gone on since the last call; to prepare weights costs less than one batch.
    this.program.refresh();
    const result = new Float32Array(count * this.width);
    const pending: {
      readonly step: number;
      readonly rows: number;
      /** Of each view. */
      readonly results: Promise<readonly Readonly<Record<'rows', Float32Array>>[]>;
    }[] = [];
    const finish = async (): Promise<void> => {
      const oldest = pending.shift();
      if (oldest === undefined) return;
      const [own, other] = (await oldest.results).map(({ rows }) => rows.subarray(0, oldest.rows * this.width));
      const first = oldest.step * this.batchSize;
      result.set(other === undefined ? own : meanDirections(own, other, this.width), first * this.width);
      onProgress?.(first + oldest.rows);
    };
    for await (const batch of batches) {
      const views = otherTransforms === undefined ? [batch] : [batch, { ...batch, transforms: otherTransforms }];
      const results: Promise<Readonly<Record<'rows', Float32Array>>>[] = [];
      for (const view of views) results.push((await this.program.submit(feedsOf(view))).results);
      pending.push({ step: batch.step, rows: batch.count, results: Promise.all(results) });
      if (pending.length > 1) await finish();
    }
    while (pending.length > 0) await finish();
    return result;
  }

  destroy(): void {
    this.program.destroy();
  }
}

const programOf = (rows: Tensor) => ({ outputs: { rows }, frozen: true }) as const;

const feedsOf = ({ images, transforms }: ImageBatch): { images: Uint8Array; transforms: Float32Array } => ({
  images,
  transforms,
});

/**
 * The mean of each two rows, brought to length 1. Views may come in either order: it gives the same bits.
 * @param a [count, width], of length 1
 * @param b as a
 * @returns [count, width]; NaN where two rows cancel out or are not finite, which whoever takes embeddings checks
 */
export function meanDirections(a: Float32Array, b: Float32Array, width: number): Float32Array {
  const means = new Float32Array(a.length);
  for (let row = 0; row < a.length; row += width) {
    let squares = 0;
    for (let i = row; i < row + width; i++) squares += (a[i] + b[i]) ** 2;
    const length = Math.sqrt(squares);
    for (let i = row; i < row + width; i++) means[i] = (a[i] + b[i]) / length;
  }
  return means;
}
