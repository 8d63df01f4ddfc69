import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Word } from '../contract/dispatch.ts';
import { widestElement } from '../contract/element-types.ts';
import { ceilDivide } from '../contract/grid.ts';
import { ownKindFirst } from '../select.ts';

/**
 * How invocations reduce or visit the rows of a matrix [rows, channels] column by column.
 *
 * A workgroup is a rectangle of `rowInvocations` x `columnInvocations` invocations over a block of rows. On a GPU the row invocations
 * share the block: they take its rows alternately, and a reduction meets in workgroup memory. A CPU emulates workgroup
 * memory and barriers slowly, so there each row invocation has a block of its own and reduces it alone.
 */
export interface BlockStyle {
  readonly name: string;
  readonly sharedRows: boolean;
  readonly workgroupSize: number;
  /** Neighboring invocations read neighboring columns, up to this many. */
  readonly columnInvocations: number;
  /**
   * The same for the second pass, whose rows are the blocks of the first: few columns, so that more invocations share them.
   */
  readonly combiningColumnInvocations: number;
  /** Rows that an invocation visits in an element-wise pass: it loads the column's parameters once for all of them. */
  readonly rowsPerInvocation: number;
}

const WORKGROUP_BLOCKS: BlockStyle = {
  name: 'workgroup blocks',
  sharedRows: true,
  workgroupSize: 128,
  columnInvocations: 16,
  combiningColumnInvocations: 4,
  rowsPerInvocation: 8,
};

const INVOCATION_BLOCKS: BlockStyle = {
  name: 'invocation blocks',
  sharedRows: false,
  workgroupSize: 64,
  columnInvocations: 64,
  combiningColumnInvocations: 64,
  rowsPerInvocation: 32,
};

/** Both styles, the one that suits the adapter first. */
export const blockStyles = (traits: AdapterTraits): readonly BlockStyle[] =>
  ownKindFirst(traits, { gpu: [WORKGROUP_BLOCKS], cpu: [INVOCATION_BLOCKS] });

/** A launch over a matrix. */
interface RowBlockLaunch {
  /** rows, columns, columnInvocations, rowInvocations, rowsPerBlock, blocks: the head of the shader's `Parameters`. */
  readonly parameters: readonly Word[];
  readonly workgroups: readonly [number, number, number];
}

/** A grid over a matrix: what a shader of this kind gets as `Parameters`, and its launch. */
export interface RowBlocks extends RowBlockLaunch {
  readonly blocks: number;
  readonly rowsPerBlock: number;
  /** Elements of the matrix in a block. */
  readonly blockLength: number;
  /** The launch of `count` blocks, as a matrix of their rows alone that begins at block `first`. */
  slice(count: number, first: number): RowBlockLaunch;
}

/** Enough workgroups to fill a large GPU, and few enough for their partial results to be read quickly. */
const REDUCING_WORKGROUPS = 1024;
/** Rows that an invocation should at least reduce for its partial result to be worth writing and reading. */
const SHARED_ROWS_PER_INVOCATION = 4;
const OWN_ROWS_PER_INVOCATION = 128;
const LARGEST_GRID = 65535;

/** Blocks of rows whose partial results, one row for each block, a second pass combines with `combiningBlocks`. */
export function reducingBlocks(style: BlockStyle, rows: number, channels: number): RowBlocks {
  const invocations = rectangle(channels, style.columnInvocations, style.workgroupSize);
  if (style.sharedRows) {
    const most = ceilDivide(REDUCING_WORKGROUPS, invocations.tiles);
    const blocks = Math.min(most, ceilDivide(rows, SHARED_ROWS_PER_INVOCATION * invocations.rowInvocations));
    return grid(invocations, rows, ceilDivide(rows, blocks), 1);
  }
  // The square root balances the two levels of the sum, for speed and for its rounding error.
  return grid(
    invocations,
    rows,
    Math.min(rows, Math.max(OWN_ROWS_PER_INVOCATION, Math.ceil(Math.sqrt(rows)))),
    invocations.rowInvocations,
  );
}

/** One block of all rows: the pass that reduces a column completely. */
export function combiningBlocks(style: BlockStyle, rows: number, channels: number): RowBlocks {
  const invocations = rectangle(channels, style.combiningColumnInvocations, style.workgroupSize);
  return grid(style.sharedRows ? invocations : { ...invocations, rowInvocations: 1 }, rows, rows, 1);
}

/** Blocks for an element-wise pass, whose row invocations always take the rows of their block alternately. */
export function elementwiseBlocks(style: BlockStyle, rows: number, channels: number): RowBlocks {
  const invocations = rectangle(channels, style.columnInvocations, style.workgroupSize);
  const rowsPerBlock = Math.max(style.rowsPerInvocation * invocations.rowInvocations, ceilDivide(rows, LARGEST_GRID));
  return grid(invocations, rows, rowsPerBlock, 1);
}

interface Rectangle {
  readonly channels: number;
  readonly columns: number;
  readonly tiles: number;
  readonly columnInvocations: number;
  readonly rowInvocations: number;
}

/** Tiles of equal width over the columns, and as many row invocations as the workgroup has room for. */
function rectangle(channels: number, mostColumnInvocations: number, workgroupSize: number): Rectangle {
  const columns = widestElement(channels).elements;
  const columnInvocations = ceilDivide(columns, ceilDivide(columns, mostColumnInvocations));
  return {
    channels,
    columns,
    tiles: ceilDivide(columns, columnInvocations),
    columnInvocations,
    rowInvocations: Math.floor(workgroupSize / columnInvocations),
  };
}

function grid(invocations: Rectangle, rows: number, rowsPerBlock: number, blocksAWorkgroup: number): RowBlocks {
  const { channels, columns, tiles, columnInvocations, rowInvocations } = invocations;
  const slice = (count: number, first: number): RowBlockLaunch => ({
    parameters: [
      Math.min(count * rowsPerBlock, rows - first * rowsPerBlock),
      columns,
      columnInvocations,
      rowInvocations,
      rowsPerBlock,
      count,
    ],
    workgroups: [tiles, ceilDivide(count, blocksAWorkgroup), 1],
  });
  const blocks = ceilDivide(rows, rowsPerBlock);
  return { blocks, rowsPerBlock, blockLength: rowsPerBlock * channels, slice, ...slice(blocks, 0) };
}
