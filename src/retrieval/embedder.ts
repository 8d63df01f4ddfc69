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
   * @returns [count, width]
   */
  async embed(
    batches: AsyncIterable<OrderedBatch>,
    count: number,
    onProgress?: (done: number) => void,
  ): Promise<Float32Array> {
    // Training may have gone on since the last call; to prepare weights costs less than one batch.
    this.program.refresh();
    const result = new Float32Array(count * this.width);
    const pending: {
      readonly step: number;
      readonly rows: number;
      readonly results: Promise<Readonly<Record<'rows', Float32Array>>>;
    }[] = [];
    const finish = async (): Promise<void> => {
      const oldest = pending.shift();
      if (oldest === undefined) return;
      const { rows } = await oldest.results;
      const first = oldest.step * this.batchSize;
      result.set(rows.subarray(0, oldest.rows * this.width), first * this.width);
      onProgress?.(first + oldest.rows);
    };
    for await (const batch of batches) {
      pending.push({
        step: batch.step,
        rows: batch.count,
        results: (await this.program.submit(feedsOf(batch))).results,
      });
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
