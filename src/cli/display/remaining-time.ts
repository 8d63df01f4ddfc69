/** Reports that an estimate looks back on, and how many it needs. The first ones of a task often compile or load something, and say little. */
const WINDOW = 30;
const FEWEST = 3;
/** Share of the work that must be done. */
const LEAST_DONE = 0.05;

/** Estimates how long a task will still take, by its last reports. */
export class RemainingTime {
  private readonly reports: { readonly done: number; readonly time: number }[] = [];

  /**
   * Takes a report.
   * @param time milliseconds of any clock
   * @returns seconds; undefined while too little is known
   */
  after(done: number, total: number, time: number): number | undefined {
    this.reports.push({ done, time });
    if (this.reports.length > WINDOW) this.reports.shift();
    const [first] = this.reports;
    const fresh = done - first.done;
    if (this.reports.length <= FEWEST || fresh <= 0 || done < LEAST_DONE * total) return undefined;
    return ((time - first.time) / 1000 / fresh) * (total - done);
  }
}
