import { note } from '../display/progress.ts';
import type { CurrentGallery } from './current-gallery.ts';
import type { ServedGallery } from './served-gallery.ts';

/** Opens the model and the gallery anew and puts them into service. If that fails, the old ones stay. */
export class Reloader {
  private running: Promise<void> | undefined;
  private isWanted = false;

  /**
   * @param open reads the model and the index, and opens them beside those in service
   * @param onReload hears of each reload, with its error if it failed
   */
  constructor(
    private readonly current: CurrentGallery,
    private readonly open: (previous: ServedGallery) => Promise<ServedGallery>,
    private readonly onReload: (error?: unknown) => void,
  ) {}

  /** While one is in progress, another follows it: the files may have changed after they were read. */
  reload(): void {
    this.isWanted = true;
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  async idle(): Promise<void> {
    this.isWanted = false;
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.isWanted) {
      this.isWanted = false;
      const { gallery } = this.current;
      note('reloading: the model and the index are read again');
      await gallery.pause?.();
      let next: ServedGallery;
      try {
        next = await this.open(gallery);
      } catch (error) {
        const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        note(`the reload failed, and the model and index of before stay in service: ${message}`);
        this.onReload(error);
        await gallery.resume?.();
        continue;
      }
      await this.current.replace(next);
      note(`reloaded: ${next.title}`);
      this.onReload();
    }
  }
}
