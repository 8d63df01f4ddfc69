// The gradient of max-pool-gradient-1-naive.wgsl, whose operands these are.
//
// Rung 2: one invocation four channels, and only the at most ceil(window / stride)^2 windows that contain the pixel. Sizes and the window are
// uniforms, and a place is found from a running number: a dozen integer divisions each.
//
// dy [batch, pooledHeight, pooledWidth, columns] Element;  position the same, Index;  dx [batch, height, width, columns] Element
// Dispatch: foldGrid(ceil(count / 64)), one invocation an Element of dx.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Index (vec4u or u32).

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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i >= p.count) {
    return;
  }
  let column = i % p.columns;
  let pixel = i / p.columns;
  let w = pixel % p.width + p.padding;
  let h = pixel / p.width % p.height + p.padding;
  let image = pixel / p.width / p.height * p.pooledHeight;

  let endY = min(h / p.stride + 1u, p.pooledHeight);
  let endX = min(w / p.stride + 1u, p.pooledWidth);
  var sum: Element;
  for (var oh = firstWindow(h); oh < endY; oh++) {
    for (var ow = firstWindow(w); ow < endX; ow++) {
      let place = ((image + oh) * p.pooledWidth + ow) * p.columns + column;
      let here = (h - oh * p.stride) * p.window + w - ow * p.stride;
      sum += select(Element(), dy[place], position[place] == Index(here));
    }
  }
  dx[i] = sum;
}
