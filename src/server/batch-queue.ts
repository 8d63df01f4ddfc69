interface Waiting<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(reason: unknown): void;
}

/**
 * Work that is cheaper together: whatever waits when the worker is free is done as one batch, in the order of coming. A
 * single item never waits for company. One batch runs at a time.
 */
export class BatchQueue<Item, Result> {
  private readonly waiting: Waiting<Item, Result>[] = [];
  private running: Promise<void> | undefined;

  /**
   * @param work does a batch; result i is that of item i
   * @param batchSize most items of a batch
   */
  constructor(
    private readonly work: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly batchSize: number,
  ) {}

  /**
   * @param signal of one who goes away: what still waits is then taken out
   * @throws what the work throws, or the signal's reason
   */
  add(item: Item, signal?: AbortSignal): Promise<Result> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const entry = { item, resolve, reject };
      const leave = (): void => {
        const place = this.waiting.indexOf(entry);
        if (place < 0) return;
        this.waiting.splice(place, 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.waiting.push(entry);
      this.running ??= this.run();
    });
  }

  /** Waits until all that was added is done. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    // Those who come in the same turn go together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, this.batchSize);
      try {
        const results = await this.work(batch.map(({ item }) => item));
        batch.forEach(({ resolve }, index) => resolve(results[index]));
      } catch (error) {
        batch.forEach(({ reject }) => reject(error));
      }
    }
    this.running = undefined;
  }
}
