import type { StepReport } from './trainer.ts';

/** How an embedding can be lost while its losses still look like numbers. */
export type Collapse = 'point' | 'domains' | 'hinges';

/** A collapse of the embeddings, with a message that says what to do. */
export interface CollapseWarning {
  readonly collapse: Collapse;
  readonly message: string;
}

/** Embeddings of length 1 whose root mean square distance from their mean is less lie at one point. */
export const LEAST_SPREAD = 0.05;
/** The share of the variance of all embeddings that lies between the domains, from which on these are apart. */
export const MOST_BETWEEN_DOMAINS = 0.8;
/** Steps for which a state must last before it is warned of, and be over before it is warned of again. */
export const PATIENCE = 10;

interface Signal {
  readonly collapse: Collapse;
  holds(values: StepReport['values']): boolean;
  message(values: StepReport['values']): string;
}

/** Sketches and photos in equal numbers, each mean at half of the gap from the mean of all. */
const betweenDomains = (values: StepReport['values']): number =>
  (values['domain gap'] / 2) ** 2 / Math.max(values.spread ** 2, 1e-12);

const SIGNALS: readonly Signal[] = [
  {
    collapse: 'point',
    holds: ({ spread }) => spread < LEAST_SPREAD,
    message: ({ spread }) =>
      `all embeddings lie at one point: their spread is ${spread.toFixed(4)} of at most 1. Let the quadruplet loss set in later (--quadruplet-start), mine semi-hard or at random (--mining), or lower the learning rate`,
  },
  {
    collapse: 'domains',
    holds: (values) => values.spread >= LEAST_SPREAD && betweenDomains(values) > MOST_BETWEEN_DOMAINS,
    message: (values) =>
      `sketches and photos lie apart: ${(100 * betweenDomains(values)).toFixed(0)} % of the variance of the embeddings is between the two domains. Check that both carry the same labels; raise the weight of the quadruplet loss (--loss-quadruplet)`,
  },
  {
    collapse: 'hinges',
    holds: (values) => values['valid hinges'] > 0 && values['active hinges'] === 0,
    message: () =>
      'no hinge of the quadruplet loss is active: it gives no gradient any more. Raise the margin (--margin), or mine the hardest (--mining)',
  },
];

/** Looks at the statistics of each step, and warns once of each state that has lasted. */
export class CollapseWatch {
  private readonly states = SIGNALS.map((signal) => ({ signal, lasted: 0, over: PATIENCE, warned: false }));

  /**
   * Takes the values of a step.
   * @param values of a step, with the quadruplet loss's statistics; no warning is given without them
   */
  see(values: StepReport['values']): CollapseWarning[] {
    if (values.spread === undefined) return [];
    const warnings: CollapseWarning[] = [];
    for (const state of this.states) {
      const { signal } = state;
      if (signal.holds(values)) {
        state.lasted++;
        state.over = 0;
      } else {
        state.lasted = 0;
        state.over++;
        if (state.over >= PATIENCE) state.warned = false;
      }
      if (state.lasted >= PATIENCE && !state.warned) {
        state.warned = true;
        warnings.push({ collapse: signal.collapse, message: signal.message(values) });
      }
    }
    return warnings;
  }
}
