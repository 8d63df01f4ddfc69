// dx[n, h, w, c] = sum of dy[n, oh, ow, c] over the windows (oh, ow) whose maximum was at (h, w): those with
// position[n, oh, ow, c] = ky * window + kx, where ky = h + padding - oh * stride and kx = w + padding - ow * stride.
// A gather over the at most ceil(window / stride)^2 windows that contain an element, in a fixed order.
//
// dy         [batch, pooledHeight, pooledWidth, columns] Stored;  position the same, Index
// dx         [batch, height, width, columns] Stored
// Dispatch: x = ceil(width * columns / WORKGROUP_SIZE), y and z = foldGrid(rows), rows = batch * height; one
//   invocation an Element of dx. A row of workgroups lies in one row of pixels: divisions are dear, most of all on a CPU.
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
@group(0) @binding(1) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(2) var<storage, read_write> position: array<Index>;
@group(0) @binding(3) var<storage, read_write> dx: array<Stored>;

// The first window that reaches as far as `place` of the padded picture.
fn firstWindow(place: u32) -> u32 {
  return (max(place + 1u, WINDOW) - WINDOW + STRIDE - 1u) / STRIDE;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = group.x * WORKGROUP_SIZE + invocation;
  let row = group.y + group.z * grid.y;
  if (i >= parameters.width * parameters.columns || row >= parameters.rows) {
    return;
  }
  let column = i % parameters.columns;
  let w = i / parameters.columns + PADDING;
  let h = row % parameters.height + PADDING;
  let image = row / parameters.height * parameters.pooledHeight;

  let endY = min(h / STRIDE + 1u, parameters.pooledHeight);
  let endX = min(w / STRIDE + 1u, parameters.pooledWidth);
  var sum: Element;
  for (var oh = firstWindow(h); oh < endY; oh++) {
    for (var ow = firstWindow(w); ow < endX; ow++) {
      let place = ((image + oh) * parameters.pooledWidth + ow) * parameters.columns + column;
      let here = (h - oh * STRIDE) * WINDOW + w - ow * STRIDE;
      sum += select(Element(), Element(dy[place]), position[place] == Index(here));
    }
  }
  dx[row * parameters.width * parameters.columns + i] = Stored(sum);
}
