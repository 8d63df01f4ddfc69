import type { RetrievalTraining } from './recipe.ts';

/** The steps of the ablation, each with one thing more than the one before it. */
export const ABLATION = [
  {
    name: 'frozen features',
    trained: false,
    losses: [],
    what: "the starting weights' pooled features, nothing trained",
  },
  { name: 'untrained heads', trained: false, losses: [], what: 'the embedding that the training begins with' },
  { name: 'classification', trained: true, losses: ['classification'], what: 'the classification loss alone' },
  { name: '+ quadruplet', trained: true, losses: ['classification', 'quadruplet'], what: 'with the quadruplet loss' },
  {
    name: '+ preservation',
    trained: true,
    losses: ['classification', 'quadruplet', 'preservation'],
    what: 'with the knowledge preservation loss: the whole method',
  },
] as const;

export type AblationStep = (typeof ABLATION)[number];
type LossName = 'classification' | 'quadruplet' | 'preservation';

/** The training of a step: the losses that it does not have weigh nothing, and nothing else is different. */
export function ablatedTraining(
  training: RetrievalTraining,
  { losses }: AblationStep,
  seed: number,
): RetrievalTraining {
  const kept: readonly LossName[] = losses;
  const weight = (name: LossName): number => (kept.includes(name) ? training.losses[name] : 0);
  return {
    ...training,
    seed,
    losses: {
      ...training.losses,
      classification: weight('classification'),
      quadruplet: weight('quadruplet'),
      preservation: weight('preservation'),
    },
  };
}

/** Figures of a step by name, one for each seed. */
export interface AblationResult {
  readonly step: AblationStep['name'];
  readonly seed: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The metrics of a step of the ablation over its seeds. */
export interface Summary {
  readonly step: AblationStep['name'];
  readonly seeds: readonly number[];
  readonly metrics: Readonly<
    Record<
      string,
      { readonly mean: number; /** Sample standard deviation; NaN of one seed. */ readonly deviation: number }
    >
  >;
}

/** Mean and spread over seeds, in the order of ABLATION; steps without a result are left out. */
export function summarise(results: readonly AblationResult[]): Summary[] {
  return ABLATION.flatMap(({ name }): Summary[] => {
    const own = results.filter(({ step }) => step === name).sort((a, b) => a.seed - b.seed);
    if (own.length === 0) return [];
    const metrics = Object.keys(own[0].metrics).map(
      (metric) => [metric, meanAndDeviation(own.map(({ metrics: values }) => values[metric]))] as const,
    );
    return [{ step: name, seeds: own.map(({ seed }) => seed), metrics: Object.fromEntries(metrics) }];
  });
}

export function meanAndDeviation(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation =
    values.length < 2
      ? NaN
      : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  return { mean, deviation };
}
