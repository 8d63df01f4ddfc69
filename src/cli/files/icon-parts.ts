/**
 * What a long indexing has done so far, on the disk: a folder beside the index with a file for each few thousand
 * drawings. A process that is killed at any moment leaves whole files only, which the next run takes over.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseSealed, serializeSealed } from '../../formats/sealed.ts';
import { isJsonObject, parseJson } from '../../formats/untrusted.ts';
import { removeLeftovers, writeFileAtomically } from '../../platform/node/files.ts';
import { Lock } from '../../platform/node/lock.ts';

/** A drawing that was embedded, or why it could not be. */
export type Drawn =
  { readonly vector: Int8Array; /** thickInk x 255. */ readonly thick: number } | { readonly failure: string };

/** What drawings of a folder have in common: vectors of another model or renderer are no use. */
export interface PartsOrigin {
  readonly modelChecksum: string;
  readonly dimension: number;
  readonly renderer: string;
}

const FORMAT = 'sketchgrad icon part';
const ENDING = '.part';

export class IconParts {
  private constructor(
    private readonly folder: string,
    private readonly origin: PartsOrigin,
    private readonly lock: Lock,
    private next: number,
  ) {}

  /**
   * Opens the folder beside an index, for this process alone.
   * @param onDrawn hears of each drawing that an earlier run left there, by its digest
   * @throws LockError where another process works there
   */
  static async open(
    indexFile: string,
    origin: PartsOrigin,
    onDrawn: (digest: string, drawn: Drawn) => void,
  ): Promise<IconParts> {
    const folder = `${indexFile}.parts`;
    await mkdir(folder, { recursive: true });
    const lock = await Lock.take(path.join(folder, 'lock'), folder);
    try {
      await removeLeftovers(folder);
      const names = (await readdir(folder)).filter((name) => name.endsWith(ENDING)).sort();
      for (const name of names) {
        const drawn = await readPart(path.join(folder, name), origin);
        if (drawn === undefined) await rm(path.join(folder, name));
        else for (const [digest, one] of drawn) onDrawn(digest, one);
      }
      return new IconParts(folder, origin, lock, 1 + Math.max(0, ...names.map((name) => parseInt(name, 10))));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Adds drawings by their digests. */
  async write(drawn: ReadonlyMap<string, Drawn>): Promise<void> {
    await this.lock.assertHeld();
    await writeFileAtomically(
      path.join(this.folder, `${String(this.next++).padStart(6, '0')}${ENDING}`),
      await serializePart(drawn, this.origin),
    );
  }

  /** Ends the work. @param finished whether the index has all of it, so that the folder can go */
  async close(finished: boolean): Promise<void> {
    if (finished)
      for (const name of (await readdir(this.folder)).filter((each) => each.endsWith(ENDING)))
        await rm(path.join(this.folder, name));
    await this.lock.release();
    if (finished) await rm(this.folder, { recursive: true, force: true });
  }
}

function serializePart(
  drawn: ReadonlyMap<string, Drawn>,
  { modelChecksum, dimension, renderer }: PartsOrigin,
): Promise<Uint8Array> {
  const good = [...drawn].flatMap(([digest, one]) => ('vector' in one ? [{ digest, ...one }] : []));
  const failures = Object.fromEntries(
    [...drawn].flatMap(([digest, one]) => ('failure' in one ? [[digest, one.failure]] : [])),
  );
  const vectors = new Int8Array(good.length * dimension);
  good.forEach(({ vector }, row) => vectors.set(vector, row * dimension));
  return serializeSealed(
    [
      ['vectors', { dtype: 'I8', shape: [good.length, dimension], data: vectors }],
      ['thick', { dtype: 'U8', shape: [good.length], data: Uint8Array.from(good, ({ thick }) => thick) }],
    ],
    Object.entries({
      format: FORMAT,
      model_checksum: modelChecksum,
      renderer,
      digests: JSON.stringify(good.map(({ digest }) => digest)),
      failures: JSON.stringify(failures),
    }),
  );
}

/** Undefined for a file that is damaged, or of another origin: what it holds is made again. */
async function readPart(
  file: string,
  { modelChecksum, dimension, renderer }: PartsOrigin,
): Promise<Map<string, Drawn> | undefined> {
  const fail = (problem: string): never => {
    throw new Error(problem);
  };
  try {
    const { tensors, metadata, sealed } = await parseSealed(await readFile(file), file, fail);
    const [vectors, thick] = [tensors.get('vectors'), tensors.get('thick')];
    if (
      !sealed ||
      metadata.get('format') !== FORMAT ||
      metadata.get('model_checksum') !== modelChecksum ||
      metadata.get('renderer') !== renderer ||
      vectors?.shape[1] !== dimension ||
      thick === undefined
    )
      return undefined;
    const [digests, failures] = ['digests', 'failures'].map((key) => parseJson(metadata.get(key) ?? '', fail));
    if (!Array.isArray(digests) || !isJsonObject(failures)) return undefined;
    const values = new Int8Array(new Uint8Array(vectors.bytes).buffer);
    return new Map<string, Drawn>([
      ...digests.map((digest: string, row): [string, Drawn] => [
        digest,
        { vector: values.subarray(row * dimension, (row + 1) * dimension), thick: thick.bytes[row] },
      ]),
      ...Object.entries(failures).map(([digest, failure]): [string, Drawn] => [digest, { failure: String(failure) }]),
    ]);
  } catch {
    return undefined;
  }
}
