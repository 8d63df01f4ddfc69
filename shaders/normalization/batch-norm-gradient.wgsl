// The gradient of batch normalization for its input (Ioffe and Szegedy 2015, section 3), with the normalized activation
// recomputed from x:
//
//   dx = scale * (g - offset - (x - mean) * slope),   g = dy, or in `masked` dy where y > 0 and otherwise 0
//
// x, y, dy, dx    [rows, columns] Stored
// coefficients    [4, columns] Element: scale, offset, slope, mean, as batch-norm-gradient-sums.wgsl makes them
// Entry points: plain, masked.
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
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> coefficients: array<Element>;
@group(0) @binding(4) var<storage, read_write> dx: array<Stored>;
@group(0) @binding(5) var<storage, read_write> y: array<Stored>;

struct Coefficients {
  scale: Element,
  offset: Element,
  slope: Element,
  mean: Element,
}

fn coefficientsOf(column: u32) -> Coefficients {
  let columns = parameters.columns;
  return Coefficients(coefficients[column], coefficients[column + columns], coefficients[column + 2u * columns], coefficients[column + 3u * columns]);
}

fn inputGradient(by: Coefficients, value: Stored, gradient: Stored) -> Stored {
  return Stored(by.scale * (Element(gradient) - by.offset - (Element(value) - by.mean) * by.slope));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn plain(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let by = coefficientsOf(range.column);
  for (var i = range.begin; i < range.end; i += range.stride) {
    dx[i] = inputGradient(by, x[i], dy[i]);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn masked(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let by = coefficientsOf(range.column);
  for (var i = range.begin; i < range.end; i += range.stride) {
    // Not y > 0: where y is NaN, the gradient must not become an innocent zero.
    dx[i] = inputGradient(by, x[i], select(dy[i], Stored(), Element(y[i]) <= Element()));
  }
}
