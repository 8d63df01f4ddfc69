// Third stage of the quadruplet loss: its gradient, gathered item by item.
//
// The derivative of d(a, b) by the embedding of a is (a - b) / d(a, b), by that of b its negative. So all that an item i
// receives, as anchor and as the choice of other anchors, is a sum over its partners j:
//   dembeddings[i] = sum over j of weight(i, j) * (embeddings[i] - embeddings[j])
//   weight(i, j)   = (pull(i, j) + pull(j, i)) / d(i, j) / number of valid hinges
//   pull(a, b)     = the number of active hinges of a if b is its positive, -1 if b is a negative in an active hinge of a
// Most weights are 0. The first pass lists the others, partners in index order; the second sums. Where the squared
// distance is at most 1e-12 it was raised to that, and its gradient is 0.
//
// chosen             [count] vec4u, see quadruplet_loss_mining.wgsl
// squaredDistances   [count, count] f32, symmetric; a slice binds the rows of its items
// scale              [1] f32, 1 / number of valid hinges
// partners, weights  [count, count] u32 and f32: the first partnerCount[i] entries of row i
// partnerCount       [count] u32
// embeddings         [count, width] Element, all of them in each slice
// dembeddings        [count, width] Element; like partners, weights and partnerCount, from firstItem on
// Entry points: gatherPartners, dispatch foldGrid(ceil(count / WORKGROUP_SIZE)), an invocation an item.
//   gradient, dispatch foldGrid(ceil(count * width / WORKGROUP_SIZE)), an invocation an Element.
// Constants: Element (vec4f or f32), WORKGROUP_SIZE, BY_ROWS as in quadruplet_loss_mining.wgsl.

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
@group(0) @binding(5) var<storage, read_write> squaredDistances: array<f32>;
@group(0) @binding(6) var<storage, read_write> scale: array<f32, 1>;

@group(0) @binding(4) var<storage, read_write> embeddings: array<Element>;
@group(0) @binding(5) var<storage, read_write> dembeddings: array<Element>;

fn pull(anchor: vec4u, item: u32) -> i32 {
  return select(0, i32(anchor.w), anchor.x == item) - select(0, 1, anchor.y == item || anchor.z == item);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gatherPartners(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = (id.x + id.y * grid.x) * WORKGROUP_SIZE + lane;
  if (place >= parameters.items) {
    return;
  }
  let item = parameters.firstItem + place;
  let first = place * parameters.count;
  let own = chosen[item];
  var found = 0u;
  for (var other = 0u; other < parameters.count; other++) {
    let both = pull(own, other) + pull(chosen[other], item);
    if (both != 0) {
      let squared = squaredDistances[select(other * parameters.count + item, first + other, BY_ROWS)];
      if (squared > 1e-12) {
        partners[first + found] = other;
        weights[first + found] = f32(both) / sqrt(squared) * scale[0];
        found++;
      }
    }
  }
  partnerCount[place] = found;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gradient(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (id.x + id.y * grid.x) * WORKGROUP_SIZE + lane;
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
