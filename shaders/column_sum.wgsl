// sums[b, c] = sum of x[r, c] over the rows r of block b. Run again over the sums, with all rows in one block, it gives
// the sum of each column of a tall matrix; the order of the additions is fixed.
//
// x      [rows, columns] Element
// sums   [blocks, columns] Element
// Dispatch: kernels/row-blocks.ts, reducingBlocks for the first pass, combiningBlocks over the blocks for the second.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), WORKGROUP_SIZE,
//   SHARED_ROWS (the row lanes of a workgroup share one block and reduce in workgroup memory; else each has its own).

struct Parameters {
  rows: u32,
  columns: u32,
  columnLanes: u32,
  rowLanes: u32,
  rowsPerBlock: u32,
  blocks: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> sums: array<Element>;

// The part of a column that an invocation walks. Lanes outside of the matrix walk nothing, but stay for the barrier.
struct Walk {
  inside: bool,
  column: u32,
  block: u32,
  rowLane: u32,
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
  let endRow = select(0u, min(firstRow + parameters.rowsPerBlock, parameters.rows), walk.inside);
  walk.begin = (firstRow + select(0u, walk.rowLane, SHARED_ROWS)) * parameters.columns + walk.column;
  walk.end = endRow * parameters.columns;
  walk.stride = select(1u, parameters.rowLanes, SHARED_ROWS) * parameters.columns;
  return walk;
}

var<workgroup> rowLaneSums: array<Element, WORKGROUP_SIZE>;

// The sum over the row lanes, in their order; row lane 0 alone gets it.
fn reduceRowLanes(own: Element, rowLane: u32, lane: u32) -> Element {
  rowLaneSums[lane] = own;
  workgroupBarrier();
  var total = own;
  if (rowLane == 0u) {
    for (var other = 1u; other < parameters.rowLanes; other++) {
      total += rowLaneSums[lane + other * parameters.columnLanes];
    }
  }
  return total;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var sum: Element;
  for (var i = walk.begin; i < walk.end; i += walk.stride) {
    sum += x[i];
  }
  if (SHARED_ROWS) {
    sum = reduceRowLanes(sum, walk.rowLane, lane);
  }
  if (walk.inside && (!SHARED_ROWS || walk.rowLane == 0u)) {
    sums[walk.block * parameters.columns + walk.column] = sum;
  }
}
