// The gradient of y = activation(x * scale + shift + residual) for x and for the residual, column by column:
//
//   dx = g * scale,  dresidual = g,   g = dy, or with ReLU dy where y > 0 and otherwise 0
//
// dy, y, dx, dresidual   [rows, columns] Stored
// scale                  [columns] Element
// Entry points: plain; masked, with ReLU; masked_residual, which stores dresidual too.
// Dispatch: kernels/reduction/row-blocks.ts, elementwiseBlocks, with row-iteration.wgsl put before. An invocation visits several rows of one column.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE.

struct Parameters {
  rows: u32,
  columns: u32,
  columnInvocations: u32,
  rowInvocations: u32,
  rowsPerBlock: u32,
  blocks: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(2) var<storage, read_write> scale: array<Element>;
@group(0) @binding(3) var<storage, read_write> dx: array<Stored>;
@group(0) @binding(4) var<storage, read_write> y: array<Stored>;
@group(0) @binding(5) var<storage, read_write> dresidual: array<Stored>;

// Not y > 0: where y is NaN, the gradient must not become an innocent zero.
fn maskedGradient(i: u32) -> Stored {
  return select(dy[i], Stored(), Element(y[i]) <= Element());
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn plain(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let factor = scale[range.column];
  for (var i = range.begin; i < range.end; i += range.stride) {
    dx[i] = Stored(Element(dy[i]) * factor);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn masked(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let factor = scale[range.column];
  for (var i = range.begin; i < range.end; i += range.stride) {
    dx[i] = Stored(Element(maskedGradient(i)) * factor);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn masked_residual(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let factor = scale[range.column];
  for (var i = range.begin; i < range.end; i += range.stride) {
    let gradient = maskedGradient(i);
    dresidual[i] = gradient;
    dx[i] = Stored(Element(gradient) * factor);
  }
}
