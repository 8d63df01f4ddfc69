// The two sums over rows that the gradient of batch normalization needs, in two passes over blocks of rows, and what
// follows from them for each column (Ioffe and Szegedy 2015, section 3).
//
//   g = dy, or dy masked by ReLU: dy where y > 0, otherwise 0
//   plain, masked, masked_residual   block b:  gradient_b = sum g,   product_b = sum g (x - mean)
//   combine   dbeta = sum gradient_b,   dgamma = inverseDeviation * sum product_b, and the coefficients of
//             dx = scale * (g - offset - (x - mean) * slope):
//             scale = gamma * inverseDeviation,  offset = dbeta / n,  slope = inverseDeviation * dgamma / n
//
// x, y, dy, dresidual    [rows, columns] Stored; masked_residual stores g, which is the residual's gradient, as dresidual
// gamma, mean, inverseDeviation, dgamma, dbeta   [columns] Element
// partials               [blocks, 2, columns] Element: gradient_b, product_b, block by block, so that blocks can be sliced
// coefficients           [4, columns] Element: scale, offset, slope, mean
// Dispatch: kernels/reduction/row-blocks.ts, reducingBlocks for the first pass, combiningBlocks over the blocks for combine.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE and SHARED_ROWS
//   of row-blocks.wgsl, the library put before it.

struct Parameters {
  rows: u32,
  columns: u32,
  columnInvocations: u32,
  rowInvocations: u32,
  rowsPerBlock: u32,
  blocks: u32,
  // Only for combine, whose rows are the blocks of the first pass: the rows of x.
  sampleRows: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> mean: array<Element>;
@group(0) @binding(4) var<storage, read_write> blockPartials: array<Element>;
@group(0) @binding(5) var<storage, read_write> y: array<Stored>;
@group(0) @binding(6) var<storage, read_write> dresidual: array<Stored>;

@group(0) @binding(1) var<storage, read_write> partials: array<Element>;
@group(0) @binding(2) var<storage, read_write> gamma: array<Element>;
@group(0) @binding(4) var<storage, read_write> inverseDeviation: array<Element>;
@group(0) @binding(5) var<storage, read_write> dgamma: array<Element>;
@group(0) @binding(6) var<storage, read_write> dbeta: array<Element>;
@group(0) @binding(7) var<storage, read_write> coefficients: array<Element>;

struct Sums {
  gradient: Element,
  product: Element,
}

fn plus(a: Sums, b: Sums) -> Sums {
  return Sums(a.gradient + b.gradient, a.product + b.product);
}

fn storeBlock(own: Sums, range: RowRange, invocation: u32) {
  let sums = reduceRowInvocations(own, range, invocation);
  if (hasSums(range)) {
    let place = 2u * range.block * parameters.columns + range.column;
    blockPartials[place] = sums.gradient;
    blockPartials[place + parameters.columns] = sums.product;
  }
}

// Not y > 0: where y is NaN, the gradient must not become an innocent zero.
fn maskedGradient(i: u32) -> Stored {
  return select(dy[i], Stored(), Element(y[i]) <= Element());
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn plain(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let center = mean[range.column];
  var sums: Sums;
  for (var i = range.begin; i < range.end; i += range.stride) {
    let gradient = Element(dy[i]);
    sums.gradient += gradient;
    sums.product += gradient * (Element(x[i]) - center);
  }
  storeBlock(sums, range, invocation);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn masked(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let center = mean[range.column];
  var sums: Sums;
  for (var i = range.begin; i < range.end; i += range.stride) {
    let gradient = Element(maskedGradient(i));
    sums.gradient += gradient;
    sums.product += gradient * (Element(x[i]) - center);
  }
  storeBlock(sums, range, invocation);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn masked_residual(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let center = mean[range.column];
  var sums: Sums;
  for (var i = range.begin; i < range.end; i += range.stride) {
    let stored = maskedGradient(i);
    dresidual[i] = stored;
    let gradient = Element(stored);
    sums.gradient += gradient;
    sums.product += gradient * (Element(x[i]) - center);
  }
  storeBlock(sums, range, invocation);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn combine(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  var sums: Sums;
  for (var i = range.begin; i < range.end; i += range.stride) {
    // A block has two rows of partials.
    let place = 2u * i - range.column;
    sums.gradient += partials[place];
    sums.product += partials[place + parameters.columns];
  }
  sums = reduceRowInvocations(sums, range, invocation);
  if (hasSums(range)) {
    let column = range.column;
    let inverse = inverseDeviation[column];
    let gammaGradient = inverse * sums.product;
    dgamma[column] = gammaGradient;
    dbeta[column] = sums.gradient;
    let count = f32(parameters.sampleRows);
    coefficients[column] = gamma[column] * inverse;
    coefficients[column + parameters.columns] = sums.gradient / count;
    coefficients[column + 2u * parameters.columns] = inverse * gammaGradient / count;
    coefficients[column + 3u * parameters.columns] = mean[column];
  }
}
