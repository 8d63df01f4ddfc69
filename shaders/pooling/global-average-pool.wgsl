// y[n, c] = mean of x[n, p, c] over the pixels p, summed in blocks of blocks: the rounding error grows as the sixth root of their number.
//
// x   [batch, pixels, columns] Stored
// y   [batch, columns] Element
// Dispatch: foldGrid(ceil(batch * columns / WORKGROUP_SIZE)); one invocation an Element of y, neighbors read neighbors.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE.

struct Parameters {
  pixels: u32,
  columns: u32,
  count: u32, // batch * columns
  block: u32, // the cube root of pixels, rounded up, or 8
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.count) {
    let begin = i / parameters.columns * parameters.pixels * parameters.columns + i % parameters.columns;
    let block = parameters.block;
    var sum = Element();
    for (var outer = 0u; outer < parameters.pixels; outer += block * block) {
      let outerEnd = min(outer + block * block, parameters.pixels);
      var outerSum = Element();
      for (var inner = outer; inner < outerEnd; inner += block) {
        let innerEnd = min(inner + block, outerEnd);
        var innerSum = Element();
        for (var pixel = inner; pixel < innerEnd; pixel++) {
          innerSum += Element(x[begin + pixel * parameters.columns]);
        }
        outerSum += innerSum;
      }
      sum += outerSum;
    }
    y[i] = sum / f32(parameters.pixels);
  }
}
