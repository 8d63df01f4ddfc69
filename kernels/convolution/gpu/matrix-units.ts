import type { AdapterTraits, MatrixProduct } from '../../contract/adapter-traits.ts';
import { elementBytes } from '../../contract/element-types.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { isPointwise, type Gather } from '../gather.ts';
import { productCall } from './tiles.ts';
import type { KernelCall } from '../../kernel.ts';
import { fits, type Tile } from '../../contract/tiles.ts';

/** A workgroup's tile, and the block of it that one subgroup computes. */
interface BlockedTile {
  readonly rows: number;
  readonly columns: number;
  readonly blockRows: number;
  readonly blockColumns: number;
}

/**
 * Blocks as large as a subgroup's registers allow read the least from workgroup memory; small ones leave more
 * workgroups for small images.
 */
const TILES: readonly BlockedTile[] = [
  { rows: 128, columns: 128, blockRows: 64, blockColumns: 32 },
  { rows: 128, columns: 64, blockRows: 32, blockColumns: 32 },
  { rows: 64, columns: 64, blockRows: 32, blockColumns: 32 },
  { rows: 32, columns: 32, blockRows: 16, blockColumns: 16 },
];

/** Bytes of a row of the source tile: 32 numbers of 16 bits or 16 of 32, a full line of the banks either way. */
const DEPTH_BYTES = 64;
/** What the loads of a matrix unit are aligned to (VUID-RuntimeSpirv-OpCooperativeMatrixLoadKHR-08986). */
const ALIGNMENT = 16;

/**
 * The variants by matrix units (experimental), where the adapter has some for numbers of this type. Numbers of 32 bits are never
 * downcast for their sake: what a convolution of float32 may use is a unit of float32.
 */
export function matrixTiles(gather: Gather, traits: AdapterTraits): KernelCall[] {
  const { matrixUnits } = traits;
  if (matrixUnits === undefined) return [];
  const [fewest, most] = matrixUnits.subgroupSizes;
  // Where an adapter has several sizes it takes the one that its units want, mostly one of the largest two. Any works.
  const sizes = fewest === most ? [most] : [most, most / 2];
  return matrixUnits.products
    .filter((product) => product.component === gather.element)
    .flatMap((product) =>
      TILES.filter((tile) => isCutBy(tile, product)).flatMap((tile) =>
        sizes.map((lanes) => ({ product, tile, lanes })),
      ),
    )
    .filter(({ tile, lanes }) => (blocksOf(tile) * lanes) % most === 0)
    .map(({ product, tile, lanes }) => matrixCall(gather, product, tile, lanes, sizes.length > 1, traits))
    .filter((call) => call.product !== undefined && fits(call.product, traits));
}

const blocksOf = ({ rows, columns, blockRows, blockColumns }: BlockedTile): number =>
  (rows / blockRows) * (columns / blockColumns);

const isCutBy = (
  { blockRows, blockColumns }: BlockedTile,
  { component, rows, columns, depth }: MatrixProduct,
): boolean =>
  blockRows % rows === 0 &&
  blockColumns % columns === 0 &&
  columns % 4 === 0 &&
  depth % 4 === 0 &&
  depthOf(component) % depth === 0;

const depthOf = (component: 'f16' | 'f32'): number => DEPTH_BYTES / elementBytes(component);

function matrixCall(
  gather: Gather,
  product: MatrixProduct,
  blocked: BlockedTile,
  lanes: number,
  isGuess: boolean,
  traits: AdapterTraits,
): KernelCall {
  const { element, target, forward } = gather;
  const { rows, columns, blockRows, blockColumns } = blocked;
  const invocations = blocksOf(blocked) * lanes;
  const depth = depthOf(element);
  const padding = ALIGNMENT / (4 * elementBytes(element));
  // A lane holds its share of the block's sums; which ones is the unit's affair.
  const tile: Tile = { rows, columns, depth, rowsEach: (blockRows * blockColumns) / lanes, columnsEach: 1 };
  const rightBytes = forward
    ? depth * (columns * elementBytes(element) + ALIGNMENT)
    : columns * (DEPTH_BYTES + ALIGNMENT);
  const vectors = (rows * depth) / 4 / invocations;
  const weightVectors = (depth * columns) / 4 / invocations;
  return productCall(gather, tile, traits, {
    name: `matrix ${product.rows}x${product.columns}x${product.depth}${isGuess ? ` by ${lanes}` : ''}`,
    shader: (whole) => ({
      shader: shaders.convolutionMatrixUnits,
      libraries: [shaders.convolutionAxis, shaders.matrixUnits],
      features: [
        'subgroups',
        'chromium_experimental_subgroup_matrix',
        ...(element === 'f16' ? (['f16'] as const) : []),
      ],
      constants: {
        Scalar: element,
        Target: whole ? target : 'f32',
        MATRIX_ROWS: product.rows,
        MATRIX_COLUMNS: product.columns,
        MATRIX_DEPTH: product.depth,
        TILE_ROWS: rows,
        TILE_COLUMNS: columns,
        DEPTH: depth,
        BLOCK_ROWS: blockRows,
        BLOCK_COLUMNS: blockColumns,
        INVOCATIONS: invocations,
        PADDING: padding,
        UNROLLED: traits.kind === 'gpu',
      },
    }),
    stagingOperations:
      vectors * (isPointwise(gather.shape) ? 6 : 14) + weightVectors * (forward || isPointwise(gather.shape) ? 10 : 16),
    workgroupBytes:
      rows * (DEPTH_BYTES + ALIGNMENT) + rightBytes + 4 * blocksOf(blocked) * product.rows * product.columns,
    matrix: { component: element, rows: blockRows, columns: blockColumns },
  });
}
