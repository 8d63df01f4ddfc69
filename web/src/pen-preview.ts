/** Milliseconds at least from one search to the next while the pen moves. */
const INTERVAL = 120;

/** Searches now and then while the pen moves. None of these searches begins while another search is under way. */
export class PenPreview {
  private waiting = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private next = 0;

  /**
   * @param search begins a search for what is on the pad at that moment
   * @param isBusy whether a search is under way
   */
  constructor(
    private readonly search: () => void,
    private readonly isBusy: () => boolean,
  ) {}

  /** The pen has moved. */
  move(): void {
    this.waiting = true;
    this.resume();
  }

  /** The pen was lifted: the search for the whole drawing takes the place of the one that waits. */
  end(): void {
    this.waiting = false;
  }

  /** A search has ended: the one that waits may begin. */
  resume(): void {
    if (!this.waiting || this.isBusy() || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (!this.waiting || this.isBusy()) return;
      this.waiting = false;
      this.next = performance.now() + INTERVAL;
      this.search();
    }, this.next - performance.now());
  }
}
