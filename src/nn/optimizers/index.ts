/** The registry of optimizers. To add one, write its file beside this one and a line in OPTIMIZERS. */
import { adam, adamw } from './adam.ts';
import { lamb } from './lamb.ts';
import { lars } from './lars.ts';
import type { Optimizer, ParameterGroup } from './optimizer.ts';
import { rmsprop } from './rmsprop.ts';
import { sgd } from './sgd.ts';

/** The registry of optimizers, by the name that `--optimizer` takes. */
export const OPTIMIZERS = { adam, adamw, sgd, rmsprop, lamb, lars } as const;

/** The name of an optimizer of the registry. */
export type OptimizerKind = keyof typeof OPTIMIZERS;

export const OPTIMIZER_KINDS = Object.keys(OPTIMIZERS) as OptimizerKind[];

/** The hyperparameters of an optimizer. */
export type Hyperparameters<Kind extends OptimizerKind> =
  (typeof OPTIMIZERS)[Kind] extends Optimizer<infer Values> ? Values : never;

/** An optimizer with its hyperparameters and groups of parameters. The learning rate is given at each step. */
export type OptimizerSettings<Kind extends OptimizerKind = OptimizerKind> = {
  [Each in Kind]: { readonly kind: Each; readonly groups: readonly ParameterGroup[] } & Hyperparameters<Each>;
}[Kind];

/**
 * An optimizer's settings, with one group for all parameters.
 * @param hyperparameters in place of its defaults; those that it does not have are left out
 */
export function optimizerSettings<Kind extends OptimizerKind>(
  kind: Kind,
  weightDecay = 0,
  hyperparameters: Readonly<Record<string, number | boolean>> = {},
): OptimizerSettings<Kind> {
  const { defaults } = OPTIMIZERS[kind];
  const own = Object.entries(hyperparameters).filter(([name]) => name in defaults);
  const groups: readonly ParameterGroup[] = [{ matches: () => true, learningRate: 1, weightDecay }];
  return { kind, ...defaults, ...Object.fromEntries(own), groups } as unknown as OptimizerSettings<Kind>;
}

/** Adam or AdamW with PyTorch's defaults. */
export const adamSettings = (
  weightDecay: number,
  kind: 'adam' | 'adamw' = 'adam',
): OptimizerSettings<'adam' | 'adamw'> => optimizerSettings(kind, weightDecay);

/** Stochastic gradient descent with momentum. */
export const sgdSettings = (weightDecay: number, momentum = 0.9): OptimizerSettings<'sgd'> =>
  optimizerSettings('sgd', weightDecay, { momentum });

/** The optimizer of some settings, which it takes for its hyperparameters. */
export const optimizerOfSettings = (settings: OptimizerSettings): Optimizer<OptimizerSettings> =>
  OPTIMIZERS[settings.kind] as unknown as Optimizer<OptimizerSettings>;
