// y = x + bias, one bias a column.
//
// x, y    [rows, columns] Element
// bias    [columns] Element
// Dispatch: kernels/reduction/row-blocks.ts, elementwiseBlocks, with row-iteration.wgsl put before. An invocation visits several rows of one column.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), WORKGROUP_SIZE.

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
@group(0) @binding(2) var<storage, read_write> bias: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let offset = bias[range.column];
  for (var i = range.begin; i < range.end; i += range.stride) {
    y[i] = x[i] + offset;
  }
}
