// The gradients of y = activation(x * scale + shift) for scale and shift, over blocks of rows, which column_sum.wgsl adds:
//
//   scaleSums[b, c] = sum of g x,  shiftSums[b, c] = sum of g over block b,   g = dy, or with ReLU dy where y > 0, else 0
//
// x, dy, y               [rows, columns] Stored
// scaleSums, shiftSums   [blocks, columns] Element
// Entry points: plain; masked, with ReLU.
// Dispatch: kernels/row-blocks.ts, reducingBlocks.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE,
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
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> scaleSums: array<Element>;
@group(0) @binding(4) var<storage, read_write> shiftSums: array<Element>;
@group(0) @binding(5) var<storage, read_write> y: array<Stored>;

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

struct Sums {
  scale: Element,
  shift: Element,
}

var<workgroup> rowLaneSums: array<Sums, WORKGROUP_SIZE>;

// The sum over the row lanes, in their order; row lane 0 alone gets it.
fn reduceRowLanes(own: Sums, rowLane: u32, lane: u32) -> Sums {
  rowLaneSums[lane] = own;
  workgroupBarrier();
  var total = own;
  if (rowLane == 0u) {
    for (var other = 1u; other < parameters.rowLanes; other++) {
      let theirs = rowLaneSums[lane + other * parameters.columnLanes];
      total.scale += theirs.scale;
      total.shift += theirs.shift;
    }
  }
  return total;
}

fn storeBlock(own: Sums, walk: Walk, lane: u32) {
  var sums = own;
  if (SHARED_ROWS) {
    sums = reduceRowLanes(own, walk.rowLane, lane);
  }
  if (walk.inside && (!SHARED_ROWS || walk.rowLane == 0u)) {
    let place = walk.block * parameters.columns + walk.column;
    scaleSums[place] = sums.scale;
    shiftSums[place] = sums.shift;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn plain(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var sums: Sums;
  for (var i = walk.begin; i < walk.end; i += walk.stride) {
    let gradient = Element(dy[i]);
    sums.scale += gradient * Element(x[i]);
    sums.shift += gradient;
  }
  storeBlock(sums, walk, lane);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn masked(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var sums: Sums;
  for (var i = walk.begin; i < walk.end; i += walk.stride) {
    // Not y > 0: where y is NaN, the gradient must not become an innocent zero.
    let gradient = Element(select(dy[i], Stored(), Element(y[i]) <= Element()));
    sums.scale += gradient * Element(x[i]);
    sums.shift += gradient;
  }
  storeBlock(sums, walk, lane);
}
