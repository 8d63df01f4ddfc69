// dx[n, h, w, c] = sum of dy[n, oh, ow, c] over the windows (oh, ow) whose maximum was at (h, w): those with
// position[n, oh, ow, c] = ky * window + kx, where ky = h + padding - oh * stride and kx = w + padding - ow * stride.
// A gather over the at most ceil(window / stride)^2 windows that contain an element, in a fixed order.
//
// dy         [batch, pooledHeight, pooledWidth, columns] Element;  position the same, Index
// dx         [batch, height, width, columns] Element
// Dispatch: foldGrid(ceil(count / WORKGROUP_SIZE)); one invocation an Element of dx.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Index (vec4u or u32), WORKGROUP_SIZE.

struct Parameters {
  height: u32,
  width: u32,
  columns: u32,
  pooledHeight: u32,
  pooledWidth: u32,
  window: u32,
  stride: u32,
  padding: u32,
  count: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> position: array<Index>;
@group(0) @binding(3) var<storage, read_write> dx: array<Element>;

// The first window that reaches as far as `place` of the padded picture.
fn firstWindow(place: u32) -> u32 {
  return (max(place + 1u, parameters.window) - parameters.window + parameters.stride - 1u) / parameters.stride;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + lane;
  if (i >= parameters.count) {
    return;
  }
  let column = i % parameters.columns;
  let pixel = i / parameters.columns;
  let w = pixel % parameters.width + parameters.padding;
  let h = pixel / parameters.width % parameters.height + parameters.padding;
  let image = pixel / parameters.width / parameters.height * parameters.pooledHeight;

  let endY = min(h / parameters.stride + 1u, parameters.pooledHeight);
  let endX = min(w / parameters.stride + 1u, parameters.pooledWidth);
  var sum: Element;
  for (var oh = firstWindow(h); oh < endY; oh++) {
    for (var ow = firstWindow(w); ow < endX; ow++) {
      let place = ((image + oh) * parameters.pooledWidth + ow) * parameters.columns + column;
      let here = (h - oh * parameters.stride) * parameters.window + w - ow * parameters.stride;
      sum += select(Element(), dy[place], position[place] == Index(here));
    }
  }
  dx[i] = sum;
}
