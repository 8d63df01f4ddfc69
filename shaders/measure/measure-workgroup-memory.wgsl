// y[t, i] = sum over r < rounds of x[t, (i + r) mod 64]: one read of workgroup memory and one addition a round. Measures the
// rate at which workgroup memory is read; neighboring invocations read neighboring Elements, without a conflict of banks.
//
// x, y   [tiles, 64] Elements
// A workgroup holds WORKGROUP_SIZE / 64 tiles; one invocation an Element.
// Dispatch: foldGrid(ceil(tiles * 64 / WORKGROUP_SIZE)).
// Limits: 16 * WORKGROUP_SIZE bytes of workgroup memory.
// Constants: Element (f32 or vec4f), WORKGROUP_SIZE, a multiple of 64.

const TILE = 64u;

struct Parameters {
  tiles: u32,
  rounds: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

var<workgroup> elements: array<Element, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let place = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  let inside = place < parameters.tiles * TILE;
  if (inside) {
    elements[invocation] = x[place];
  }
  workgroupBarrier();
  let tile = invocation & ~(TILE - 1u);
  var sum: Element;
  for (var r = 0u; r < parameters.rounds; r++) {
    sum += elements[tile + ((invocation + r) & (TILE - 1u))];
  }
  if (inside) {
    y[place] = sum;
  }
}
