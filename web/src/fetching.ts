/** Files that come with the page. */

/** Hears of bytes as they come. @param total undefined where the server does not say it */
export type Fetched = (address: string, bytes: number, total: number | undefined) => void;

/** @throws Error with the address, where the server has no such file or the connection ends */
export async function fetchBytes(address: string, onFetched: Fetched): Promise<Uint8Array<ArrayBuffer>> {
  const fail = (cause: unknown): never => {
    throw new Error(`${address} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  };
  const response = await fetch(address).catch(fail);
  if (!response.ok) return fail(`${response.status} ${response.statusText}`.trim());
  // A compressed answer has its compressed length in the header.
  const total = response.headers.has('content-encoding') ? undefined : Number(response.headers.get('content-length') ?? NaN) || undefined;
  let bytes = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      onFetched(address, (bytes += chunk.length), total);
      controller.enqueue(chunk);
    },
  });
  return new Uint8Array(await new Response(response.body?.pipeThrough(counting)).arrayBuffer().catch(fail));
}

/** Adds up the files that are under way: "0.5 of 3.1 MB". */
export function fetchedInAll(onText: (text: string) => void): Fetched {
  const files = new Map<string, { bytes: number; total: number | undefined }>();
  const megabytes = (count: number): string => (count / 1e6).toFixed(1);
  return (address, bytes, total) => {
    files.set(address, { bytes, total });
    const all = [...files.values()];
    const known = all.every((file) => file.total !== undefined);
    const sum = all.reduce((done, file) => done + file.bytes, 0);
    onText(known ? `${megabytes(sum)} of ${megabytes(all.reduce((most, file) => most + (file.total ?? 0), 0))} MB` : `${megabytes(sum)} MB`);
  };
}
