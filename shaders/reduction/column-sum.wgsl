// sums[b, c] = sum of x[r, c] over the rows r of block b. Run again over the sums, with all rows in one block, it gives
// the sum of each column of a tall matrix; the order of the additions is fixed.
//
// x      [rows, columns] Element
// sums   [blocks, columns] Element
// Dispatch: kernels/reduction/row-blocks.ts, reducingBlocks for the first pass, combiningBlocks over the blocks for the second.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), WORKGROUP_SIZE and SHARED_ROWS
//   of row-blocks.wgsl, the library put before it.

struct Parameters {
  rows: u32,
  columns: u32,
  columnInvocations: u32,
  rowInvocations: u32,
  rowsPerBlock: u32,
  blocks: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> sums: array<Element>;

alias Sums = Element;

fn plus(a: Sums, b: Sums) -> Sums {
  return a + b;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  var sum: Sums;
  for (var i = range.begin; i < range.end; i += range.stride) {
    sum += x[i];
  }
  sum = reduceRowInvocations(sum, range, invocation);
  if (hasSums(range)) {
    sums[range.block * parameters.columns + range.column] = sum;
  }
}
