// y[e] = f(f(...f(x[e]))), `rounds` times, with f(v) = fma(v, factor, summand): multiply-adds and next to no memory.
// Measures the best rate of arithmetic that an adapter gives to WGSL.
//
// x, y   [count] Elements
// An invocation advances eight independent Elements, so that one multiply-add need not wait for the one before it. They are
// variables, not an array: where a driver keeps arrays in memory, memory would be measured.
// factor and summand are parameters: the compiler cannot know where the sequence ends up.
// Dispatch: foldGrid(ceil(count / (8 * WORKGROUP_SIZE))).
// Constants: Element (f32 or vec4f), WORKGROUP_SIZE.

const CHAINS = 8u;

struct Parameters {
  count: u32,
  rounds: u32,
  factor: f32,
  summand: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

fn read(place: u32) -> Element {
  // A load past the end is kept inside; its result is not stored.
  return x[min(place, parameters.count - 1u)];
}

fn write(place: u32, value: Element) {
  if (place < parameters.count) {
    y[place] = value;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let first = (group.x + group.y * grid.x) * WORKGROUP_SIZE * CHAINS + invocation;
  let factor = Element(parameters.factor);
  let summand = Element(parameters.summand);
  var v0 = read(first);
  var v1 = read(first + 1u * WORKGROUP_SIZE);
  var v2 = read(first + 2u * WORKGROUP_SIZE);
  var v3 = read(first + 3u * WORKGROUP_SIZE);
  var v4 = read(first + 4u * WORKGROUP_SIZE);
  var v5 = read(first + 5u * WORKGROUP_SIZE);
  var v6 = read(first + 6u * WORKGROUP_SIZE);
  var v7 = read(first + 7u * WORKGROUP_SIZE);
  for (var r = 0u; r < parameters.rounds; r++) {
    v0 = fma(v0, factor, summand);
    v1 = fma(v1, factor, summand);
    v2 = fma(v2, factor, summand);
    v3 = fma(v3, factor, summand);
    v4 = fma(v4, factor, summand);
    v5 = fma(v5, factor, summand);
    v6 = fma(v6, factor, summand);
    v7 = fma(v7, factor, summand);
  }
  write(first, v0);
  write(first + 1u * WORKGROUP_SIZE, v1);
  write(first + 2u * WORKGROUP_SIZE, v2);
  write(first + 3u * WORKGROUP_SIZE, v3);
  write(first + 4u * WORKGROUP_SIZE, v4);
  write(first + 5u * WORKGROUP_SIZE, v5);
  write(first + 6u * WORKGROUP_SIZE, v6);
  write(first + 7u * WORKGROUP_SIZE, v7);
}
