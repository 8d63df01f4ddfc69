export interface QuadrupletLossProblem {
  /** Items in the batch, sketches and photos together; distances and lists of partners take count^2 words each. */
  readonly count: number;
  /** Components of an embedding. */
  readonly width: number;
  /** 'domain-balanced' if left out; the hinges of each form stand in shaders/loss/quadruplet-loss-mining.wgsl. */
  readonly form?: 'domain-balanced' | 'one-hinge' | 'two-pairs';
  /** 0.2 if left out. */
  readonly margin?: number;
  /** Margin of the hinge over two pairs of classes; half of the margin if left out, as Chen et al. have it. */
  readonly secondMargin?: number;
  /** Weight of the other domain's negative in the one hinge, 0 to 1; 0.5 if left out. */
  readonly share?: number;
  /** How positives and negatives are chosen, see shaders/loss/quadruplet-loss-mining.wgsl; 'hardest' if left out. */
  readonly mining?: 'hardest' | 'semi-hard' | 'random';
}

const DEFAULT_MARGIN = 0.2;
const DEFAULT_SHARE = 0.5;

/** The settings of a problem, with defaults for those that it leaves out. */
export function settingsOf({
  form = 'domain-balanced',
  margin = DEFAULT_MARGIN,
  secondMargin = margin / 2,
  share = DEFAULT_SHARE,
}: QuadrupletLossProblem) {
  return { form, margin, secondMargin, share } as const;
}
