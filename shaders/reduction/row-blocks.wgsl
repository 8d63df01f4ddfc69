// How the invocations of a workgroup reduce blocks of rows of a matrix, column by column: the device's side of kernels/reduction/row-blocks.ts.
//
// A library, no shader: put before those that reduce columns. What the shader has:
//   parameters                 begins with rows, columns, columnInvocations, rowInvocations, rowsPerBlock, blocks
//   Sums                       what an invocation adds up
//   plus(a, b) -> Sums
// Constants: WORKGROUP_SIZE, SHARED_ROWS (the row invocations of a workgroup share one block and reduce in workgroup memory; else each has its own).

// The part of a column that an invocation iterates over, by places in the matrix: `begin`, `begin + stride`, ... below `end`.
// Invocations outside of the matrix have no elements, but stay for the barrier.
struct RowRange {
  inside: bool,
  column: u32,
  block: u32,
  rowInvocation: u32,
  // Rows of the block, and the column's place in the first of them.
  rows: u32,
  first: u32,
  begin: u32,
  end: u32,
  stride: u32,
}

fn rowRangeOf(group: vec3u, invocation: u32) -> RowRange {
  var range: RowRange;
  range.rowInvocation = invocation / parameters.columnInvocations;
  range.column = group.x * parameters.columnInvocations + invocation % parameters.columnInvocations;
  range.block = select(group.y * parameters.rowInvocations + range.rowInvocation, group.y, SHARED_ROWS);
  range.inside = range.rowInvocation < parameters.rowInvocations && range.column < parameters.columns && range.block < parameters.blocks;
  let firstRow = range.block * parameters.rowsPerBlock;
  range.rows = select(0u, min(parameters.rowsPerBlock, parameters.rows - firstRow), range.inside);
  range.first = firstRow * parameters.columns + range.column;
  range.begin = range.first + select(0u, range.rowInvocation, SHARED_ROWS) * parameters.columns;
  range.end = (firstRow + range.rows) * parameters.columns;
  range.stride = select(1u, parameters.rowInvocations, SHARED_ROWS) * parameters.columns;
  return range;
}

// Whether an invocation has the sums of a column of a block, after reduceRowInvocations.
fn hasSums(range: RowRange) -> bool {
  return range.inside && (!SHARED_ROWS || range.rowInvocation == 0u);
}

var<workgroup> rowInvocationSums: array<Sums, WORKGROUP_SIZE>;

// The sum over the row invocations that share a block, in their order; row invocation 0 alone gets it.
fn reduceRowInvocations(own: Sums, range: RowRange, invocation: u32) -> Sums {
  if (!SHARED_ROWS) {
    return own;
  }
  rowInvocationSums[invocation] = own;
  workgroupBarrier();
  var total = own;
  if (range.rowInvocation == 0u) {
    for (var other = 1u; other < parameters.rowInvocations; other++) {
      total = plus(total, rowInvocationSums[invocation + other * parameters.columnInvocations]);
    }
  }
  return total;
}
