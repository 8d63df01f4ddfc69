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
   * A property of the program, not the adapter: weights stay as they are, so that prepacking them (KernelCall) costs its runs
   * nothing.
   */
  readonly prepackedWeights?: boolean;
  readonly maxWorkgroupInvocations: number;
  readonly maxWorkgroupStorageBytes: number;
  readonly maxWorkgroupsPerDimension: number;
}
