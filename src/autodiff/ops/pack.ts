import { copy as copyKernel } from '../../../kernels/layout/copy.ts';
import { apply, use, type Op } from '../op.ts';
import type { ParameterStore, Tensor } from '../tensor.ts';
import { checkShape } from '../attributes.ts';

interface Attributes {
  readonly store: ParameterStore;
  /** Entry names, one for each input. */
  readonly names: readonly string[];
}

const op: Op<Attributes> = {
  name: 'pack',
  infer(inputs, { store, names }) {
    inputs.forEach((tensor, index) => {
      const entry = store.get(names[index]);
      checkShape(`pack: ${names[index]} of ${store.name}`, entry.shape, tensor);
    });
    return [{ shape: [store.length], name: store.name }];
  },
  pins: ({ attributes: { store, names }, inputs, outputs }) => [
    { tensor: outputs[0], store, offset: 0 },
    ...inputs.map((tensor, index) => ({ tensor, store, offset: offsetOf(store, names[index]) })),
  ],
  // Most inputs are computed right where they belong; only those that could not be are copied.
  lower: ({ attributes: { store, names }, inputs }, granted) =>
    inputs.flatMap((tensor, index) => {
      const target = store.get(names[index]);
      // A tensor may belong in several places, such as the gradient of a sum; it was computed into one of them.
      const pin = granted.get(tensor);
      if (pin?.store === store && pin.offset === offsetOf(store, names[index])) return [];
      return [
        use(
          copyKernel,
          {
            sourceLength: tensor.length,
            destinationLength: target.length,
            sourceOffset: 0,
            destinationOffset: 0,
            count: tensor.length,
          },
          { source: tensor, destination: target },
        ),
      ];
    }),
};

/**
 * The tensors as one flat store: gradients in the layout of their parameters, so that an optimizer updates all of them
 * in one dispatch. Tensors that the graph computes are computed right into the store.
 * @param tensors by the names of the store's entries
 * @returns the whole store [store.length]
 * @internal
 */
export function pack(tensors: ReadonlyMap<string, Tensor>, store: ParameterStore): Tensor {
  return apply(op, [...tensors.values()], { store, names: [...tensors.keys()] })[0];
}

function offsetOf(store: ParameterStore, name: string): number {
  const { origin } = store.get(name);
  return origin.kind === 'stored' ? origin.offset : 0;
}
