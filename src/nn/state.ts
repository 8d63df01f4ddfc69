import { initializeStore } from '../autodiff/initialize.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import { elementCount, type Shape, type ParameterStore } from '../autodiff/tensor.ts';
import { hostValues } from '../gpu/host-values.ts';
import { toDevice, toFile, type Layout } from './file-layout.ts';
import type { Network } from './layers.ts';
import { BoundedError } from '../formats/untrusted.ts';

/** A tensor as files hold it: PyTorch's layout. */
export interface StateTensor {
  readonly shape: Shape;
  readonly values: Float32Array;
}

/** Tensors by PyTorch's names, in PyTorch's layout. */
export type State = ReadonlyMap<string, StateTensor>;

/** Names or shapes that do not fit the network; the message lists both sides. */
export class StateMismatchError extends BoundedError {
  override readonly name = 'StateMismatchError';
}

/** Draws all parameters from their initial distributions: equal bits on all adapters for equal seeds. */
export async function initializeNetwork(network: Network, storage: DeviceStorage, seed: number): Promise<void> {
  await initializeStore(storage, network.parameters, seed);
  await initializeStore(storage, network.statistics, seed);
  // Weights of padding channels were drawn too; they multiply zeros, and are zero from here on.
  for (const [name, { fileShape, kind }] of network.layouts) {
    if (kind !== 'convolution' || fileShape[1] % 4 === 0) continue;
    const tensor = network.parameters.get(name);
    const layout = { kind, fileShape };
    storage.write(tensor, toDevice(layout, toFile(layout, await storage.read(tensor))));
  }
}

/** Parameters and running statistics as files hold them, in the order of declaration. */
export async function readState(network: Network, storage: DeviceStorage): Promise<Map<string, StateTensor>> {
  return new Map([
    ...(await readStore(network.parameters, network.layouts, storage)),
    ...(await readStore(network.statistics, network.layouts, storage)),
  ]);
}

/** The tensors of one store in file layout; for parameters, and for moments, which are laid out like them. */
export async function readStore(
  store: ParameterStore,
  layouts: ReadonlyMap<string, Layout>,
  storage: DeviceStorage,
): Promise<Map<string, StateTensor>> {
  const flat = await storage.read(store.flat);
  const state = new Map<string, StateTensor>();
  for (const [name, { tensor, offset }] of store.entries) {
    const layout = layouts.get(name) ?? { kind: 'vector', fileShape: tensor.shape };
    state.set(name, { shape: layout.fileShape, values: toFile(layout, flat.slice(offset, offset + tensor.length)) });
  }
  return state;
}

/** The first tensor in which a state is not exactly a store's; undefined where there is none. */
export function storeMismatch(
  store: ParameterStore,
  layouts: ReadonlyMap<string, Layout>,
  state: State,
): string | undefined {
  for (const [name, { tensor }] of store.entries) {
    const { fileShape } = layouts.get(name) ?? { fileShape: tensor.shape };
    const found = state.get(name);
    if (found === undefined) return `${name} is missing`;
    if (!sameShape(found.shape, fileShape))
      return `${name} is [${found.shape.join(', ')}], where [${fileShape.join(', ')}] is needed`;
  }
  const foreign = [...state.keys()].find((name) => !store.entries.has(name));
  return foreign === undefined ? undefined : `${foreign} is none of its tensors`;
}

/** Names of the tensors that hold a NaN or an infinity. */
export const nonFiniteTensors = (state: State): string[] =>
  [...state].filter(([, { values }]) => !values.every(Number.isFinite)).map(([name]) => name);

/**
 * Writes tensors in file layout into a store, those of the store that the state has in their shape. Values are copied
 * at the call.
 * @throws StateMismatchError where a tensor has other values than its shape says
 */
export function writeStore(
  store: ParameterStore,
  layouts: ReadonlyMap<string, Layout>,
  storage: DeviceStorage,
  state: State,
): void {
  for (const [name, { tensor }] of store.entries) {
    const layout = layouts.get(name) ?? { kind: 'vector', fileShape: tensor.shape };
    const found = state.get(name);
    if (found !== undefined && sameShape(found.shape, layout.fileShape)) {
      const refuse = (why: string): never => {
        throw new StateMismatchError(`${name} [${found.shape.join(', ')}] ${why}`);
      };
      storage.write(
        tensor,
        toDevice(layout, hostValues(found.values, 'f32', elementCount(found.shape), refuse) as Float32Array),
      );
    }
  }
}

/** What was loaded out of a state, and what it lacks. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** Tensors of the network that the state does not have; they keep their values. */
  readonly missing: readonly string[];
  /** Tensors of the state that the network does not have. */
  readonly unused: readonly string[];
}

/**
 * Loads a state into a network.
 * @param partial whether tensors may be missing on either side; or which of the network's may be, as when a new head is
 * put on
 *   a trained trunk
 * @throws StateMismatchError where shapes differ, or, unless partial, names
 */
export function writeState(
  network: Network,
  storage: DeviceStorage,
  state: State,
  { partial = false }: { readonly partial?: boolean | ((name: string) => boolean) } = {},
): LoadReport {
  const expected = [...network.layouts];
  const missing = expected.filter(([name]) => !state.has(name)).map(([name]) => name);
  const unused = [...state.keys()].filter(
    (name) => !network.layouts.has(name) && !name.endsWith('num_batches_tracked'),
  );
  const misshapen = expected.flatMap(([name, { fileShape }]) => {
    const found = state.get(name);
    return found === undefined || sameShape(found.shape, fileShape)
      ? []
      : [`${name}: the file has [${found.shape.join(', ')}], the network [${fileShape.join(', ')}]`];
  });
  const lacking = partial === true ? [] : missing.filter((name) => partial === false || !partial(name));
  const unknown = partial === true ? [] : unused;
  if (misshapen.length + lacking.length + unknown.length > 0) {
    const list = (title: string, lines: readonly string[]): string =>
      lines.length === 0 ? '' : `\n${title}:\n  ${lines.join('\n  ')}`;
    throw new StateMismatchError(
      'the weights do not fit the network' +
        list('different shapes', misshapen) +
        list('missing in the file', lacking) +
        list('unknown to the network', unknown),
    );
  }
  writeStore(network.parameters, network.layouts, storage, state);
  writeStore(network.statistics, network.layouts, storage, state);
  return { loaded: expected.filter(([name]) => state.has(name)).map(([name]) => name), missing, unused };
}

/** How a tensor was drawn that no file gave, for a report. */
export function describeInitial({ parameters, statistics }: Network, name: string): string {
  const initial = (parameters.entries.get(name) ?? statistics.entries.get(name))?.initial;
  switch (initial?.kind) {
    case 'normal':
      return `drawn from a normal distribution of deviation ${Number(initial.deviation.toPrecision(3))}`;
    case 'uniform':
      return `drawn uniformly between -${Number(initial.bound.toPrecision(3))} and ${Number(initial.bound.toPrecision(3))}`;
    default:
      return `set to ${initial?.value ?? 0}`;
  }
}

const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, index) => size === b[index]);
