import type { ShaderFeature } from './dispatch.ts';

/** Types that tensors are stored in. */
export type ElementType = 'f32' | 'u32' | 'f16';

/** Floating-point types that tensors are stored in; all arithmetic is in f32. */
export type FloatType = 'f32' | 'f16';

export const elementBytes = (type: ElementType): number => (type === 'f16' ? 2 : 4);

/**
 * Bytes that so many elements take in a buffer: bindings and copies are of whole words, which an odd number of halves
 * does not fill.
 */
export const storageBytes = (type: ElementType, length: number): number =>
  4 * Math.ceil((elementBytes(type) * length) / 4);

/** How a shader reads and writes a buffer of floats whole. */
export interface WidestElement {
  /** What it computes with: four floats at once where that fits. */
  readonly Element: 'vec4f' | 'f32';
  /** The same as it is stored. */
  readonly Stored: 'vec4f' | 'f32' | 'vec4<f16>' | 'f16';
  readonly components: 4 | 1;
  readonly elements: number;
  /** What a shader needs to be enabled for it. */
  readonly features: readonly ShaderFeature[];
}

/** The widest element in which a buffer of `count` floats can be read and written whole. */
export function widestElement(count: number, type: FloatType = 'f32'): WidestElement {
  const vectors = count % 4 === 0;
  const Element = vectors ? 'vec4f' : 'f32';
  const Stored = type === 'f32' ? Element : vectors ? 'vec4<f16>' : 'f16';
  return {
    Element,
    Stored,
    components: vectors ? 4 : 1,
    elements: vectors ? count / 4 : count,
    features: type === 'f16' ? ['f16'] : [],
  };
}
