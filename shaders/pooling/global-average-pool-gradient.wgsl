// dx[n, p, c] = dy[n, c] / pixels, the same for each pixel p.
//
// dy   [batch, columns] Element
// dx   [batch, pixels, columns] Stored
// Dispatch: foldGrid(ceil(batch * columns / WORKGROUP_SIZE)); one invocation an Element of dy, neighbors write neighbors.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE.

struct Parameters {
  pixels: u32,
  columns: u32,
  count: u32, // batch * columns
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> dx: array<Stored>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.count) {
    let begin = i / parameters.columns * parameters.pixels * parameters.columns + i % parameters.columns;
    let gradient = Stored(dy[i] / f32(parameters.pixels));
    for (var pixel = 0u; pixel < parameters.pixels; pixel++) {
      dx[begin + pixel * parameters.columns] = gradient;
    }
  }
}
