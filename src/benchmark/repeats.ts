/**
 * A sample takes at least about this long, so that neither the clock (65 us steps where a browser protects it) nor the
 * submission counts.
 */
const SAMPLE_MILLISECONDS = 20;
/** Repetitions of a sample at most: recording them takes the host some time as well. */
const MOST_REPEATS = 2 ** 14;
/** The next try has at most this many times the repetitions of one that was too short to be measured well. */
const GROWTH = 16;

/**
 * How many repetitions fill a sample. Short work is tried with more and more of them: a single one would be hidden
 * behind the submission, or between two steps of the clock.
 * @param time does the work so many times, and gives the milliseconds that it took
 */
export async function repeatsOfSample(time: (repeats: number) => Promise<number>): Promise<number> {
  for (let repeats = 1; ;) {
    const milliseconds = await time(repeats);
    const wanted = Math.ceil((repeats * SAMPLE_MILLISECONDS) / Math.max(milliseconds, 1e-3));
    const next = Math.max(1, Math.min(wanted, GROWTH * repeats, MOST_REPEATS));
    if (milliseconds >= SAMPLE_MILLISECONDS / 2 || next <= repeats) return next;
    repeats = next;
  }
}
