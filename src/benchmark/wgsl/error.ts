/** A benchmark that cannot run as it was described. The message names the file, the binding or the option. */
export class BenchmarkError extends Error {
  override readonly name = 'BenchmarkError';
}
