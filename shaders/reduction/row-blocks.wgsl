// How the invocations of a workgroup reduce blocks of rows of a matrix, column by column: the device's side of kernels/reduction/row-blocks.ts.
//
// A library, no shader: put before those that reduce columns. What the shader has:
//   parameters                 begins with rows, columns, columnLanes, rowLanes, rowsPerBlock, blocks
//   Sums                       what an invocation adds up
//   plus(a, b) -> Sums
// Constants: WORKGROUP_SIZE, SHARED_ROWS (the row lanes of a workgroup share one block and reduce in workgroup memory; else each has its own).

// The part of a column that an invocation walks, by places in the matrix: `begin`, `begin + stride`, ... below `end`.
// Lanes outside of the matrix walk nothing, but stay for the barrier.
struct Walk {
  inside: bool,
  column: u32,
  block: u32,
  rowLane: u32,
  // Rows of the block, and the column's place in the first of them.
  rows: u32,
  first: u32,
  begin: u32,
  end: u32,
  stride: u32,
}

fn walkOf(group: vec3u, lane: u32) -> Walk {
  var walk: Walk;
  walk.rowLane = lane / parameters.columnLanes;
  walk.column = group.x * parameters.columnLanes + lane % parameters.columnLanes;
  walk.block = select(group.y * parameters.rowLanes + walk.rowLane, group.y, SHARED_ROWS);
  walk.inside = walk.rowLane < parameters.rowLanes && walk.column < parameters.columns && walk.block < parameters.blocks;
  let firstRow = walk.block * parameters.rowsPerBlock;
  walk.rows = select(0u, min(parameters.rowsPerBlock, parameters.rows - firstRow), walk.inside);
  walk.first = firstRow * parameters.columns + walk.column;
  walk.begin = walk.first + select(0u, walk.rowLane, SHARED_ROWS) * parameters.columns;
  walk.end = (firstRow + walk.rows) * parameters.columns;
  walk.stride = select(1u, parameters.rowLanes, SHARED_ROWS) * parameters.columns;
  return walk;
}

// Whether an invocation has the sums of a column of a block, after reduceRowLanes.
fn hasSums(walk: Walk) -> bool {
  return walk.inside && (!SHARED_ROWS || walk.rowLane == 0u);
}

var<workgroup> rowLaneSums: array<Sums, WORKGROUP_SIZE>;

// The sum over the row lanes that share a block, in their order; row lane 0 alone gets it.
fn reduceRowLanes(own: Sums, walk: Walk, lane: u32) -> Sums {
  if (!SHARED_ROWS) {
    return own;
  }
  rowLaneSums[lane] = own;
  workgroupBarrier();
  var total = own;
  if (walk.rowLane == 0u) {
    for (var other = 1u; other < parameters.rowLanes; other++) {
      total = plus(total, rowLaneSums[lane + other * parameters.columnLanes]);
    }
  }
  return total;
}
