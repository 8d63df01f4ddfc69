import type { ShaderName } from './generated/shaders.ts';

export type ElementType = 'f32' | 'u32' | 'f16';

export const elementBytes = (type: ElementType): number => (type === 'f16' ? 2 : 4);

/** Optional WGSL extensions that a shader enables; a variant that needs one is offered only where the adapter has it. */
export type ShaderFeature = 'subgroups' | 'f16';

/** A shader that is not one of the engine's own: a user's kernel, or a version that only the benchmark runs. */
export interface ForeignShader {
  /** What errors and profiles call it. */
  readonly name: string;
  readonly source: string;
}

/** A word of the uniform block: an integer, or a float marked as such. */
export type Word = number | { readonly f32: number };

export const f32 = (value: number): Word => ({ f32: value });

/**
 * One launch of one shader over named operands.
 *
 * The shader sees its `parameters` as a uniform block at binding 0 of group 0 (left out where there are none), and its
 * operands as storage buffers at the bindings after it, in order. All storage bindings are declared `read_write`:
 * intermediates share one arena buffer, and WebGPU forbids to bind one buffer both read-only and writable in a dispatch.
 */
export interface Dispatch {
  readonly shader: ShaderName | ForeignShader;
  readonly entryPoint?: string;
  readonly features?: readonly ShaderFeature[];
  /**
   * Put before the source: numbers and flags as `const NAME`, strings as `alias NAME` of a type. Each distinct set makes a
   * pipeline of its own, so sizes belong in parameters.
   */
  readonly constants?: Readonly<Record<string, number | boolean | string>>;
  readonly parameters?: readonly Word[];
  readonly operands: readonly string[];
  readonly workgroups: readonly [number, number, number];
}

/** What kernels may know of an adapter when they choose among their variants. */
export interface AdapterTraits {
  /** 'cpu' is a rasteriser in software (SwiftShader, lavapipe), where workgroup memory is slow and subgroups are vectors. */
  readonly kind: 'gpu' | 'cpu';
  /** Invocations of a subgroup, where the adapter has subgroups and all are of one size; otherwise 0. */
  readonly subgroupSize: number;
  /** Whether shaders may compute with 16-bit floats. */
  readonly f16?: boolean;
  readonly maxWorkgroupInvocations: number;
  readonly maxWorkgroupStorageBytes: number;
  readonly maxWorkgroupsPerDimension: number;
}

/** Splits a number of workgroups over x and y where one dimension is too short; shaders restore x + y * gridWidth. */
export function foldGrid(count: number, limit = 65535): readonly [number, number, number] {
  if (count <= limit) return [count, 1, 1];
  const rows = Math.ceil(count / limit);
  return [Math.ceil(count / rows), rows, 1];
}

export const ceilDivide = (a: number, b: number): number => Math.ceil(a / b);

/** The widest element in which a buffer of `count` floats can be read and written whole: four at once where that fits. */
export function widestElement(count: number): { readonly Element: 'vec4f' | 'f32'; readonly elements: number } {
  return count % 4 === 0 ? { Element: 'vec4f', elements: count / 4 } : { Element: 'f32', elements: count };
}
