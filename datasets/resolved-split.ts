import type { Picture } from './pictures.ts';
import type { Problem } from './problems.ts';
import type { Split } from './splits.ts';

/** Which images belong to which part of a split. */
export interface ResolvedSplit {
  readonly split: Split;
  /** Where the parts come from, such as "the lists in zeroshot1". */
  readonly evidence: string;
  /** In the order of the labels. */
  readonly seenClasses: readonly string[];
  readonly unseenClasses: readonly string[];
  readonly train: readonly Picture[];
  readonly validation: readonly Picture[];
  readonly queries: readonly Picture[];
  readonly gallery: readonly Picture[];
  /** Class folders and files of drawings that the split has nothing to do with. */
  readonly leftOut: readonly string[];
  readonly problems: readonly Problem[];
}

export interface ResolveOptions {
  /** Share of the seen sketches that is held out where no list says which. Default HOLD_OUT_SHARE. */
  readonly validationFraction?: number;
  /** Drawings that are taken of each file of drawings. Default 3000. */
  readonly drawingsPerClass?: number;
}
