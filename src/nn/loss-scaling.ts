import { ParameterStore, type Tensor } from '../autodiff/tensor.ts';

/**
 * Dynamic loss scaling (Micikevicius et al., ICLR 2018), for gradients that are stored as 16-bit floats: the loss is
 * multiplied by a power of two, the update divides by it. A step whose gradients overflow is skipped and halves it.
 */
export interface LossScaling {
  /** A power of two. */
  readonly initial: number;
  /** Good steps after which it is doubled. */
  readonly interval: number;
}

/** The loss scaling that trainings in f16 use. */
export const DEFAULT_LOSS_SCALING: LossScaling = { initial: 2 ** 16, interval: 2000 };

/** A loss scale as it is stored on the device. */
export interface LossScale {
  /** Stored, [1]. */
  readonly scale: Tensor;
  /** Stored, [2]: good steps since the scale last changed, and steps that were skipped in all. */
  readonly steps: Tensor;
  readonly interval: number;
  readonly store: ParameterStore;
}

/** @throws RangeError unless the scale is a power of two, which multiplies without rounding */
export function lossScaleOf({ initial, interval }: LossScaling): LossScale {
  if (!Number.isInteger(Math.log2(initial)))
    throw new RangeError(
      `a loss scale of ${initial} is no power of two, and would round every gradient; use one such as 65536`,
    );
  const store = new ParameterStore('loss scale');
  return {
    scale: store.add('scale', [1], { kind: 'constant', value: initial }),
    steps: store.add('steps', [2]),
    interval,
    store,
  };
}
