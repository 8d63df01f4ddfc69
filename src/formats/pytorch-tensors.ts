/** The tensors of what a pickle of torch.save holds, by the paths to them. */
import { Tuple } from './pickle-machine.ts';
import type { FileTensor, TensorFile } from './file-tensor.ts';
import { elementsOf, StoredTensor } from './pytorch-storages.ts';
import { printable } from './untrusted.ts';
import { type Fail } from './zip.ts';

/**
 * Containers in containers: a checkpoint has its state dict at the second level, an optimizer its moments at the
 * fourth.
 */
const DEEPEST_CONTAINER = 8;

const LONGEST_NAME = 512;
/** Characters of all names together. A ResNet50 with Adam's moments has 50,000. */
const LONGEST_NAMES = 2 ** 23;

export type Contents = Pick<TensorFile, 'tensors' | 'metadata'>;

/**
 * All tensors in containers of containers, their names the paths to them. A container that is met twice counts once.
 */
export function flatten(root: unknown, fail: Fail): Contents {
  const tensors = new Map<string, FileTensor>();
  const met = new Set<unknown>();
  let characters = 0;
  const visit = (value: unknown, name: string, depth: number): void => {
    if (value instanceof StoredTensor) {
      if (tensors.has(name)) fail(`two tensors are called ${printable(name)}`);
      characters += name.length;
      if (characters > LONGEST_NAMES) fail(`the names of its tensors have more than ${LONGEST_NAMES} characters`);
      tensors.set(name, fileTensor(value));
      return;
    }
    const items =
      value instanceof Map
        ? value.entries()
        : value instanceof Tuple
          ? value.items.entries()
          : Array.isArray(value)
            ? value.entries()
            : undefined;
    if (items === undefined || met.has(value)) return;
    met.add(value);
    if (depth === DEEPEST_CONTAINER)
      return fail(`${printable(name)} holds containers in containers, more than ${DEEPEST_CONTAINER} deep`);
    for (const [key, item] of items as Iterable<[unknown, unknown]>) {
      // Numbers, strings and None beside the weights, such as an epoch, are ignored.
      if (typeof item !== 'object' || item === null) continue;
      const inner = name === '' ? String(key) : `${name}.${String(key)}`;
      if (inner.length > LONGEST_NAME) fail(`the name ${printable(inner)} is longer than ${LONGEST_NAME} characters`);
      visit(item, inner, depth + 1);
    }
  };
  visit(root, '', 0);
  if (tensors.size === 0) fail('it holds no tensor');
  return { tensors, metadata: new Map() };
}

function fileTensor({ storage, offset, shape, strides }: StoredTensor): FileTensor {
  const { dtype, bytes: width } = storage.element;
  const length = elementsOf(shape);
  const bytes = (): Uint8Array => {
    const data = storage.bytes as Uint8Array;
    const rowMajor = isRowMajor(shape, strides);
    if (rowMajor && !storage.bigEndian) return data.subarray(offset * width, (offset + length) * width);
    const result = new Uint8Array(length * width);
    const index = shape.map(() => 0);
    let element = offset;
    for (let to = 0; to < length; to++) {
      for (let byte = 0; byte < width; byte++)
        result[to * width + byte] = data[element * width + (storage.bigEndian ? width - 1 - byte : byte)];
      // The next index, as an odometer counts.
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        element += strides[axis];
        if (++index[axis] < shape[axis]) break;
        element -= shape[axis] * strides[axis];
        index[axis] = 0;
      }
    }
    return result;
  };
  return { dtype, shape, bytes };
}

/** Strides of axes of one element do not matter. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}
