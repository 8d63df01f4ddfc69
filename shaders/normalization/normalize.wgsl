// y = activation(gamma * (x - mean) * inverseDeviation + beta (+ residual)), column by column; activation is ReLU or nothing.
//
// x, residual, y                         [rows, columns] Stored
// gamma, beta, mean, inverseDeviation    [columns] Element
// Entry points: main, and with_residual for a y that a residual is added to.
// Dispatch: kernels/reduction/row-blocks.ts, elementwiseBlocks, with row-iteration.wgsl put before. An invocation visits several rows of one column.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE, RELU.

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
@group(0) @binding(2) var<storage, read_write> gamma: array<Element>;
@group(0) @binding(3) var<storage, read_write> beta: array<Element>;
@group(0) @binding(4) var<storage, read_write> mean: array<Element>;
@group(0) @binding(5) var<storage, read_write> inverseDeviation: array<Element>;
@group(0) @binding(6) var<storage, read_write> y: array<Stored>;
@group(0) @binding(7) var<storage, read_write> residual: array<Stored>;

// The subtraction comes first: x may be large against its deviation.
struct Normalization {
  mean: Element,
  scale: Element,
  shift: Element,
}

fn normalizationOf(column: u32) -> Normalization {
  return Normalization(mean[column], gamma[column] * inverseDeviation[column], beta[column]);
}

// Not max(): that may swallow a NaN, which the training loop must get to see.
fn activation(value: Element) -> Element {
  if (RELU) {
    return select(value, Element(), value < Element());
  }
  return value;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let normalization = normalizationOf(range.column);
  for (var i = range.begin; i < range.end; i += range.stride) {
    y[i] = Stored(activation((Element(x[i]) - normalization.mean) * normalization.scale + normalization.shift));
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn with_residual(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let normalization = normalizationOf(range.column);
  for (var i = range.begin; i < range.end; i += range.stride) {
    y[i] = Stored(activation((Element(x[i]) - normalization.mean) * normalization.scale + normalization.shift + Element(residual[i])));
  }
}
