// Third stage of the quadruplet loss: its gradient, gathered item by item.
//
// The derivative of d(a, b) by the embedding of a is (a - b) / d(a, b), by that of b its negative; of d(a, b)^2 it is
// 2 (a - b). So all that an item i receives, as anchor and as the choice of other anchors, is a sum over its partners j:
//   dembeddings[i] = sum over j of weight(i, j) * (embeddings[i] - embeddings[j])
//   weight(i, j)   = pull(i, j) / d(i, j) / number of valid hinges, or 2 pull(i, j) / number of valid hinges with TWO_PAIRS
//   pull(i, j)     = the sum over anchors of the weights with which their active hinges hold d(i, j) or d(j, i)
// Most weights are 0. The first pass adds up a row and lists what is not 0, partners in index order; the second sums. Where
// the squared distance is at most 1e-12 it was raised to that, and its gradient is 0.
//
// chosen, pulls      [count] vec4u and vec4f, see quadruplet-loss-mining.wgsl
// squaredDistances   [count, count] f32, symmetric; a slice binds the rows of its items
// scale              [1] f32, 1 / number of valid hinges
// partners, weights  [count, count] u32 and f32: the first partnerCount[i] entries of row i
// partnerCount       [count] u32
// embeddings         [count, width] Element, all of them in each slice
// dembeddings        [count, width] Element; like partners, weights and partnerCount, from firstItem on
// Entry points: gatherPartners, dispatch foldGrid(ceil(count / WORKGROUP_SIZE)), an invocation an item.
//   gradient, dispatch foldGrid(ceil(count * width / WORKGROUP_SIZE)), an invocation an Element.
// Constants: Element (vec4f or f32), TWO_PAIRS, WORKGROUP_SIZE, BY_ROWS as in quadruplet-loss-mining.wgsl.

struct Parameters {
  count: u32,
  width: u32, // in Elements
  items: u32, // of this slice
  firstItem: u32, // the number of the first of them
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> partners: array<u32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> partnerCount: array<u32>;

@group(0) @binding(4) var<storage, read_write> chosen: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> pulls: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> squaredDistances: array<f32>;
@group(0) @binding(7) var<storage, read_write> scale: array<f32, 1>;

@group(0) @binding(4) var<storage, read_write> embeddings: array<Element>;
@group(0) @binding(5) var<storage, read_write> dembeddings: array<Element>;

// By bits: a compiler may assume that no value is NaN or infinite.
fn isUndefined(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u;
}

/// Adds the pull between two items to the row of one of them.
fn meet(row: u32, item: u32, a: u32, b: u32, pull: f32) {
  if (pull != 0.0 && (a == item || b == item)) {
    weights[row + select(a, b, a == item)] += pull;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gatherPartners(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let place = (id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (place >= parameters.items) {
    return;
  }
  let item = parameters.firstItem + place;
  let row = place * parameters.count;
  for (var other = 0u; other < parameters.count; other++) {
    weights[row + other] = 0.0;
  }
  for (var anchor = 0u; anchor < parameters.count; anchor++) {
    let items = chosen[anchor];
    let pull = pulls[anchor];
    meet(row, item, anchor, items.x, pull.x);
    meet(row, item, select(anchor, items.z, TWO_PAIRS), items.y, pull.y);
    meet(row, item, anchor, items.z, pull.z);
  }
  // The list takes the place of the row; it never overtakes what is still to be read.
  var found = 0u;
  for (var other = 0u; other < parameters.count; other++) {
    let pull = weights[row + other];
    let squared = squaredDistances[select(other * parameters.count + item, row + other, BY_ROWS)];
    if (pull != 0.0 && squared > 1e-12) {
      partners[row + found] = other;
      weights[row + found] = select(pull / sqrt(squared), 2.0 * pull, TWO_PAIRS) * scale[0];
      found++;
    }
  }
  // Where the loss is NaN, so is the gradient, also of an item that is in no hinge.
  if (isUndefined(scale[0])) {
    partners[row] = item;
    weights[row] = scale[0];
    found = 1u;
  }
  partnerCount[place] = found;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gradient(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i >= parameters.items * parameters.width) {
    return;
  }
  let place = i / parameters.width;
  let k = i % parameters.width;
  let own = embeddings[parameters.firstItem * parameters.width + i];
  let first = place * parameters.count;
  let end = first + partnerCount[place];
  var sum = Element();
  for (var entry = first; entry < end; entry++) {
    sum += weights[entry] * (own - embeddings[partners[entry] * parameters.width + k]);
  }
  dembeddings[i] = sum;
}
