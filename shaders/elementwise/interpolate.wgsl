// running = running + momentum * (batch - running): the running statistics of batch normalization.
//
// running, batch   [count] Element
// gate             [2] u32: nothing changes where gate[0] > 0
// Dispatch: foldGrid(ceil(count / span)); a workgroup changes `span` elements, its invocations one vector after the other.
// Constants: Element (vec4f, or f32 where the length is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  span: u32,
  momentum: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> running: array<Element>;
@group(0) @binding(2) var<storage, read_write> batch: array<Element>;
@group(0) @binding(3) var<storage, read_write> gate: array<u32, 2>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  if (gate[0] > 0) {
    return;
  }
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    // A momentum of 1 gives the batch itself, which the sum would round.
    running[i] = select(running[i] + parameters.momentum * (batch[i] - running[i]), batch[i], parameters.momentum == 1);
  }
}
