import type { Shader } from '../../shaders/shader.ts';

export type { Shader };

/**
 * Optional WGSL extensions that a shader enables; a variant that needs one is offered only where the adapter has it.
 */
export type ShaderFeature = 'subgroups' | 'f16' | 'chromium_experimental_subgroup_matrix';

/** A word of the uniform block: an integer, or a float marked as such. */
export type Word = number | { readonly f32: number };

/** A float32 number for a uniform block. */
export const f32 = (value: number): Word => ({ f32: value });

/**
 * One launch of one shader over named operands.
 *
 * The shader sees its `parameters` as a uniform block at binding 0 of group 0 (left out where there are none), and its
 * operands as storage buffers at the bindings after it, in order. All storage bindings are declared `read_write`:
 * intermediates share one arena buffer, and WebGPU forbids to bind one buffer both read-only and writable in a
 * dispatch.
 */
export interface Dispatch {
  readonly shader: Shader;
  /** Sources that the shader is composed with: put before its own, behind the constants. */
  readonly libraries?: readonly Shader[];
  readonly entryPoint?: string;
  readonly features?: readonly ShaderFeature[];
  /**
   * Put before the source: numbers and flags as `const NAME`, strings as `alias NAME` of a type. Each distinct set
   * makes a pipeline of its own, so sizes belong in parameters.
   */
  readonly constants?: Readonly<Record<string, number | boolean | string>>;
  readonly parameters?: readonly Word[];
  readonly operands: readonly string[];
  /** The parts of operands that are bound, in bytes, where it is not all of them. */
  readonly windows?: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;
  readonly workgroups: readonly [number, number, number];
  readonly slices?: Slices;
}

/** A part of an operand, in elements. */
export interface SliceWindow {
  readonly offset: number;
  readonly length: number;
}

/** The window of each operand that a slice uses, by name. */
export type SliceWindows = Readonly<Record<string, SliceWindow>>;

/**
 * How a dispatch can be cut where all of it is more than an adapter binds or launches at once: into launches over
 * consecutive units (images, rows, blocks of a reduction), none of which reads what another one writes. What a unit
 * computes depends neither on its number nor on its neighbors, so that no bit of the result depends on where the cuts
 * are.
 */
export interface Slices {
  readonly units: number;
  /**
   * Where units [first, first + count) lie. May reach beyond an operand's end; operands without a window are bound
   * whole.
   */
  windows(first: number, count: number): SliceWindows;
  /**
   * The dispatch of one slice.
   * @param count units in it
   * @param first its first unit
   */
  launch(count: number, first: number): Dispatch;
}
