import type { Dispatch } from '../contract/dispatch.ts';
import { widestElement, type FloatType } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { Operand } from '../kernel.ts';

const WORKGROUP_SIZE = 64;

/** What else is done to a total before it is stored. */
export interface PartialSumsEpilogue {
  /** The type that it is stored in. */
  readonly target: FloatType;
  readonly channels: number;
  /** AFFINE, RESIDUAL and RELU. */
  readonly flags: Readonly<Record<string, boolean>>;
  /** The operands scale, shift and residual. */
  readonly operands: readonly string[];
}

/** The scratch that a product with split-K writes in place of its result: so many of them, one behind the other. */
export const partialSumsOf = (splitK: number, length: number): { readonly partialSums: Operand } => ({
  partialSums: { role: 'scratch', type: 'f32', length: splitK * length },
});

/** The second pass of a product with split-K: adds its partial sums in their order. */
export function addPartialSums(
  result: string,
  length: number,
  splitK: number,
  epilogue?: PartialSumsEpilogue,
): Dispatch {
  const { Element, elements } = widestElement(length);
  const adding = {
    libraries: [shaders.partialSums],
    workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
  };
  if (epilogue === undefined)
    return {
      ...adding,
      shader: shaders.sumPartials,
      constants: { Element, WORKGROUP_SIZE },
      parameters: [elements, splitK],
      operands: ['partialSums', result],
    };
  const { target, channels, flags, operands } = epilogue;
  return {
    ...adding,
    shader: shaders.sumPartialsEpilogue,
    features: target === 'f16' ? ['f16'] : [],
    constants: { Scalar: target, ...flags, WORKGROUP_SIZE },
    parameters: [elements, splitK, channels / 4],
    operands: ['partialSums', result, ...operands],
  };
}
