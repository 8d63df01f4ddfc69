/** Bytes that have come of all files. @param total undefined until each server's answer has said it */
export type DownloadProgress = (bytes: number, total: number | undefined) => void;

/** Files that come with the page, and how far they are. */
export class Downloads {
  /** The files that are whole, by their paths. */
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  private readonly states = new Map<string, { bytes: number; total: number | undefined }>();

  /** @param paths of all files that will be fetched, relative to the page */
  constructor(
    private readonly paths: readonly string[],
    private readonly onProgress: DownloadProgress,
  ) {}

  /** @throws Error with the path, where the server has no such file or the connection ends */
  async fetch(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const fail = (cause: unknown): never => {
      throw new Error(`./${path} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    };
    const response = await fetch(`./${path}`).catch(fail);
    if (!response.ok) return fail(`${response.status} ${response.statusText}`.trim());
    // A compressed answer has its compressed length in the header.
    const total = response.headers.has('content-encoding')
      ? undefined
      : Number(response.headers.get('content-length') ?? NaN) || undefined;
    const state = { bytes: 0, total };
    this.states.set(path, state);
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        state.bytes += chunk.length;
        this.tell();
        controller.enqueue(chunk);
      },
    });
    const bytes = new Uint8Array(await new Response(response.body?.pipeThrough(counting)).arrayBuffer().catch(fail));
    this.files.set(path, bytes);
    return bytes;
  }

  private tell(): void {
    const totals = this.paths.map((path) => this.states.get(path)?.total);
    const bytes = [...this.states.values()].reduce((sum, state) => sum + state.bytes, 0);
    this.onProgress(
      bytes,
      totals.every((total) => total !== undefined) ? totals.reduce((sum, total) => sum + total, 0) : undefined,
    );
  }
}

const megabytes = (count: number): string => (count / 1e6).toFixed(1);

/** "0.5 of 3.1 MB", or what is known of it. */
export const describeDownload = (bytes: number, total: number | undefined): string =>
  total === undefined ? `${megabytes(bytes)} MB` : `${megabytes(bytes)} of ${megabytes(total)} MB`;
