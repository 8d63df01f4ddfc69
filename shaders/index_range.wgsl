// Which indices are out of range.
//
// indices   [count] u32
// report    [3] u32: how many are not below `end`, the place of the first of them (NONE if there is none), and its value
// Dispatch: one workgroup. Constants: WORKGROUP_SIZE (a power of two).

struct Parameters {
  count: u32,
  end: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> report: array<u32, 3>;

const NONE = 0xffffffffu;

var<workgroup> counts: array<u32, WORKGROUP_SIZE>;
var<workgroup> firsts: array<u32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
  var count = 0u;
  var first = NONE;
  for (var i = lane; i < parameters.count; i += WORKGROUP_SIZE) {
    if (indices[i] >= parameters.end) {
      count++;
      first = min(first, i);
    }
  }
  counts[lane] = count;
  firsts[lane] = first;
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (lane < width) {
      counts[lane] += counts[lane + width];
      firsts[lane] = min(firsts[lane], firsts[lane + width]);
    }
  }
  if (lane == 0) {
    report[0] = counts[0];
    report[1] = firsts[0];
    report[2] = select(0u, indices[min(firsts[0], parameters.count - 1)], counts[0] > 0);
  }
}
