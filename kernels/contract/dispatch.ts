import type { Shader } from '../../shaders/shader.ts';

export type { Shader };

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

/** Bytes that every WebGPU adapter can bind as storage. */
export const ALWAYS_BOUND = 128 * 2 ** 20;

/** Bindings begin at multiples of so many bytes: the strictest alignment that an adapter may ask for. */
export const BINDING_ALIGNMENT = 256;

/**
 * How a dispatch can be cut where all of it is more than an adapter binds or launches at once: into launches over
 * consecutive units (images, rows, blocks of a reduction), none of which reads what another one writes. What a unit
 * computes depends neither on its number nor on its neighbours, so that no bit of the result depends on where the cuts
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

/**
 * A dispatch over `units` that can be cut between any two of them.
 * @param elements of each operand that lies unit by unit, how many a unit has; may be a fraction of one. Names that the
 * dispatch does not bind do not matter.
 * @param launch the dispatch for `count` units from `first` on, its operands' windows starting at `first`; of `first`
 * only kernels that give indices away need to know. Constants and whatever else decides on the order of sums must not
 * change.
 */
export function sliceable(
  units: number,
  elements: Readonly<Record<string, number>>,
  launch: (count: number, first: number) => Dispatch,
): Dispatch {
  const whole = launch(units, 0);
  const cut = Object.entries(elements).filter(([name]) => whole.operands.includes(name));
  const windows = (first: number, count: number): SliceWindows =>
    Object.fromEntries(cut.map(([name, each]) => [name, { offset: first * each, length: Math.ceil(count * each) }]));
  return { ...whole, slices: { units, windows, launch } };
}

/**
 * A product that a matrix unit does for a subgroup: sums [rows, columns] in float32 of [rows, depth] times [depth,
 * columns].
 */
export interface MatrixProduct {
  readonly component: 'f16' | 'f32';
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** The products of matrices that an adapter's matrix units compute. */
export interface MatrixUnits {
  /** As the adapter lists them, the ones that it prefers first. */
  readonly products: readonly MatrixProduct[];
  /** The fewest and the most invocations of a subgroup. */
  readonly subgroupSizes: readonly [number, number];
}

/** What kernels may know of an adapter when they choose among their variants. */
export interface AdapterTraits {
  /**
   * 'cpu' is a rasteriser in software (SwiftShader, lavapipe), where workgroup memory is slow and subgroups are
   * vectors.
   */
  readonly kind: 'gpu' | 'cpu';
  /** Invocations of a subgroup, where the adapter has subgroups and all are of one size; otherwise 0. */
  readonly subgroupSize: number;
  /** Whether shaders may compute with 16-bit floats. */
  readonly f16?: boolean;
  /** Absent where the adapter has none that sum in float32. */
  readonly matrixUnits?: MatrixUnits;
  /**
   * Of the program, not the adapter: weights stay as they are, so that preparations of them (KernelCall) cost its runs
   * nothing.
   */
  readonly prepackedWeights?: boolean;
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
