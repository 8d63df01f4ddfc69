/** The manifest of an index folder: its parts in order, and the model of its vectors. */
import { hex } from '../../formats/sealed.ts';
import { sha256 } from '../../formats/sha256.ts';
import { isJsonObject, parseJson } from '../../formats/untrusted.ts';
import { IndexFolderError, VECTOR_TYPES, type VectorType } from './part.ts';

export const MANIFEST = 'manifest.json';
const FORMAT = 'sketchgrad index';
/** Versions 1 and 2 are single files (index-file.ts). */
const VERSION = 3;

export interface ManifestPart {
  readonly rows: number;
  /** The names of its files, which hold digests of their content. */
  readonly vectors: string;
  readonly pictures: string;
}

export interface Manifest {
  /** The checksum of the weights that made the vectors. */
  readonly modelChecksum: string;
  readonly dimension: number;
  readonly type: VectorType;
  readonly parts: readonly ManifestPart[];
}

/** Names of files hold the first digits of the SHA-256 of their content: equal parts have equal names. */
export const partFileName = (kind: 'vectors' | 'pictures', bytesDigest: string): string =>
  `${kind}-${bytesDigest.slice(0, 24)}.safetensors`;
const FILE_NAME = /^(vectors|pictures)-[0-9a-f]{24}\.safetensors$/;

export const rowsOf = ({ parts }: Pick<Manifest, 'parts'>): number => parts.reduce((sum, { rows }) => sum + rows, 0);

/** The same manifest gives the same bytes. */
export function serializeManifest({ modelChecksum, dimension, type, parts }: Manifest): Uint8Array {
  const content = {
    format: FORMAT,
    version: VERSION,
    model_checksum: modelChecksum,
    dimension,
    type,
    parts: parts.map(({ rows, vectors, pictures }) => ({ rows, vectors, pictures })),
  };
  return new TextEncoder().encode(`${JSON.stringify({ ...content, digest: digestOf(content) }, null, 1)}\n`);
}

/** @throws IndexFolderError where it is damaged or of another format */
export function parseManifest(bytes: Uint8Array, fileName: string): Manifest {
  const fail = (problem: string): never => {
    throw new IndexFolderError(`${fileName}: ${problem}; make the index again`);
  };
  const read = parseJson(new TextDecoder().decode(bytes), () => fail('it is no JSON'));
  if (!isJsonObject(read) || read.format !== FORMAT) fail('it is no manifest of an index folder');
  const { digest, ...content } = read as Record<string, unknown>;
  if (content.version !== VERSION)
    fail(`it is of version ${String(content.version)}, and this program reads version ${VERSION}`);
  if (digest !== digestOf(content)) fail('its digest is of other content; the file is damaged, or it was edited');
  const { model_checksum: modelChecksum, dimension, type, parts } = content;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
  const isPart = (part: unknown): part is ManifestPart =>
    isJsonObject(part) &&
    isCount(part.rows) &&
    [part.vectors, part.pictures].every((name) => typeof name === 'string' && FILE_NAME.test(name));
  if (
    typeof modelChecksum !== 'string' ||
    !isCount(dimension) ||
    !VECTOR_TYPES.includes(type as VectorType) ||
    !Array.isArray(parts) ||
    !parts.every(isPart)
  )
    return fail('a field is missing or of another kind');
  return { modelChecksum, dimension, type: type as VectorType, parts };
}

const digestOf = (content: object): string => hex(sha256(new TextEncoder().encode(JSON.stringify(content))));
