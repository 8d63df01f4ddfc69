// The gradients of y = activation(x * scale + shift) for scale and shift, over blocks of rows, which column-sum.wgsl adds:
//
//   scaleSums[b, c] = sum of g x,  shiftSums[b, c] = sum of g over block b,   g = dy, or with ReLU dy where y > 0, else 0
//
// x, dy, y               [rows, columns] Stored
// scaleSums, shiftSums   [blocks, columns] Element
// Entry points: plain; masked, with ReLU.
// Dispatch: kernels/reduction/row-blocks.ts, reducingBlocks.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE and SHARED_ROWS
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
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> scaleSums: array<Element>;
@group(0) @binding(4) var<storage, read_write> shiftSums: array<Element>;
@group(0) @binding(5) var<storage, read_write> y: array<Stored>;

struct Sums {
  scale: Element,
  shift: Element,
}

fn plus(a: Sums, b: Sums) -> Sums {
  return Sums(a.scale + b.scale, a.shift + b.shift);
}

fn storeBlock(own: Sums, range: RowRange, invocation: u32) {
  let sums = reduceRowInvocations(own, range, invocation);
  if (hasSums(range)) {
    let place = range.block * parameters.columns + range.column;
    scaleSums[place] = sums.scale;
    shiftSums[place] = sums.shift;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn plain(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  var sums: Sums;
  for (var i = range.begin; i < range.end; i += range.stride) {
    let gradient = Element(dy[i]);
    sums.scale += gradient * Element(x[i]);
    sums.shift += gradient;
  }
  storeBlock(sums, range, invocation);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn masked(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  var sums: Sums;
  for (var i = range.begin; i < range.end; i += range.stride) {
    // Not y > 0: where y is NaN, the gradient must not become an innocent zero.
    let gradient = Element(select(dy[i], Stored(), Element(y[i]) <= Element()));
    sums.scale += gradient * Element(x[i]);
    sums.shift += gradient;
  }
  storeBlock(sums, range, invocation);
}
