/**
 * Tensors in several files, with an index that says which tensor is in which: Hugging Face's
 * `model.safetensors.index.json` or `pytorch_model.bin.index.json`, an object whose `weight_map` has a file's name for
 * each tensor.
 */
import { parseTensorFile, TensorFileError, type FileTensor, type TensorFile } from './tensor-file.ts';
import { isJsonObject, parseJson, quote, quoteValue } from './untrusted.ts';

const MOST_SHARDS = 1000;
/** A file beside the index: no path, and nothing hidden. */
const SHARD_NAME = /^[\w-][\w.-]{0,200}\.(safetensors|bin|pth|pt)$/;

/** Whether bytes begin as JSON does, and so may be an index of shards. Files of tensors begin otherwise. */
export const isShardIndex = (bytes: Uint8Array): boolean => bytes[0] === 0x7b;

/** Whether a file is one of several by its name, such as `model-00001-of-00002.safetensors`. */
export function isLoneShard(fileName: string): boolean {
  const [, count] = /-\d{5}-of-(\d{5})\.\w+$/.exec(fileName) ?? [];
  return count !== undefined && Number(count) > 1;
}

/**
 * Reads the tensors of all shards.
 * @param index the bytes of the index
 * @param readShard gives the bytes of a file beside the index, by its name
 * @throws TensorFileError where the index is none, or a shard lacks a tensor; SafetensorsError or PyTorchFileError for
 * a shard
 */
export async function parseShards(
  index: Uint8Array,
  fileName: string,
  readShard: (name: string) => Promise<Uint8Array>,
): Promise<TensorFile> {
  const fail = (problem: string): never => {
    throw new TensorFileError(`${fileName}: ${problem}`);
  };
  const content = parseJson(new TextDecoder().decode(index), (problem) =>
    fail(`an index of shards is JSON, and this is ${problem}`),
  );
  const map = isJsonObject(content) ? content.weight_map : undefined;
  if (!isJsonObject(map) || Object.keys(map).length === 0)
    return fail('it is no index of shards: it has no weight_map from tensors to files');
  const tensorsOf = new Map<string, string[]>();
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !SHARD_NAME.test(shard))
      return fail(
        `the tensor ${quote(tensor)} should be in ${quoteValue(shard)}, which is no name of a file beside the index`,
      );
    tensorsOf.set(shard, [...(tensorsOf.get(shard) ?? []), tensor]);
  }
  if (tensorsOf.size > MOST_SHARDS) fail(`it names ${tensorsOf.size} files, more than ${MOST_SHARDS}`);
  const tensors = new Map<string, FileTensor>();
  const metadata = new Map<string, string>();
  let format = '';
  for (const [shard, names] of tensorsOf) {
    const file = await parseTensorFile(await readShard(shard), shard);
    for (const name of names)
      tensors.set(
        name,
        file.tensors.get(name) ??
          fail(`${shard} lacks the tensor ${quote(name)}; one of the files is of another download`),
      );
    for (const entry of file.metadata) metadata.set(...entry);
    ({ format } = file);
  }
  return { format: `${format}, ${tensorsOf.size} shards`, tensors, metadata };
}
