// y[n, oh, ow, c] = the greatest x[n, oh * stride - padding + ky, ow * stride - padding + kx, c] with 0 <= ky, kx < window
// that lies in the picture; position = ky * window + kx of that element.
//
// As in PyTorch, the first of equal maxima counts, and a NaN wins over every number, the last NaN over the others.
//
// x          [batch, height, width, columns] Stored
// y          [batch, pooledHeight, pooledWidth, columns] Stored;  position the same, Index
// Dispatch: x = ceil(pooledWidth * columns / WORKGROUP_SIZE), y and z = foldGrid(rows), rows = batch * pooledHeight; one
//   invocation an Element of y. A row of workgroups lies in one row of pixels: divisions are dear, most of all on a CPU.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), Index (vec4u or u32), WORKGROUP_SIZE,
//   WINDOW, STRIDE, PADDING.

struct Parameters {
  height: u32,
  width: u32,
  columns: u32,
  pooledHeight: u32,
  pooledWidth: u32,
  rows: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;
@group(0) @binding(3) var<storage, read_write> position: array<Index>;

// The padding before the picture, as the part of a window that starts at `start` in the padded picture.
fn skipped(start: u32) -> u32 {
  return PADDING - min(start, PADDING);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = group.x * WORKGROUP_SIZE + invocation;
  let row = group.y + group.z * grid.y;
  if (i >= parameters.pooledWidth * parameters.columns || row >= parameters.rows) {
    return;
  }
  let column = i % parameters.columns;
  let startX = i / parameters.columns * STRIDE;
  let startY = row % parameters.pooledHeight * STRIDE;
  let image = row / parameters.pooledHeight * parameters.height;

  let firstX = skipped(startX);
  let firstY = skipped(startY);
  // The first element is met again in the loop, where it is not greater than itself.
  var best = Element(x[((image + startY + firstY - PADDING) * parameters.width + startX + firstX - PADDING) * parameters.columns + column]);
  var bestPosition = Index(firstY * WINDOW + firstX);
  for (var ky = firstY; ky < WINDOW; ky++) {
    let line = startY + ky - PADDING;
    for (var kx = firstX; kx < WINDOW; kx++) {
      let pixel = startX + kx - PADDING;
      if (line < parameters.height && pixel < parameters.width) {
        let value = Element(x[((image + line) * parameters.width + pixel) * parameters.columns + column]);
        // By bits: a compiler may assume that no value is NaN.
        let valueIsNan = (bitcast<Index>(value) & Index(0x7fffffffu)) > Index(0x7f800000u);
        let bestIsNan = (bitcast<Index>(best) & Index(0x7fffffffu)) > Index(0x7f800000u);
        let better = valueIsNan | (!bestIsNan & (value > best));
        best = select(best, value, better);
        bestPosition = select(bestPosition, Index(ky * WINDOW + kx), better);
      }
    }
  }
  let place = row * parameters.pooledWidth * parameters.columns + i;
  y[place] = Stored(best);
  position[place] = bestPosition;
}
