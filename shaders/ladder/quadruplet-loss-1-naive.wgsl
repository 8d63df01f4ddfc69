// The domain-balanced quadruplet loss with hardest mining and its gradient; shaders/quadruplet_loss_*.wgsl define both, and say what
// records and scale hold. Hinges are summarised by quadruplet-loss-mining.wgsl.
//
// Rung 1: every distance is computed where it is asked for. `mine`, one invocation an anchor, iterates over all items and all their components; `gradient`,
// one invocation a component, looks at all items for those that have a part in it, and measures their distances once more.
//
// embeddings, dembeddings [count, width]   labels, domains [count]   records [count, 12]   scale [1]
// chosen [count] vec4u: the positive, the two negatives where their hinges are active, and how many are
// Dispatch: mine foldGrid(ceil(count / 64)); gradient foldGrid(ceil(count * width / 64)).

struct Parameters {
  count: u32,
  width: u32,
  margin: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> embeddings: array<f32>;
@group(0) @binding(2) var<storage, read_write> chosen: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> domains: array<u32>;
@group(0) @binding(5) var<storage, read_write> records: array<f32>;

@group(0) @binding(3) var<storage, read_write> scale: array<f32, 1>;
@group(0) @binding(4) var<storage, read_write> dembeddings: array<f32>;

const NONE = 0xffffffffu;
const FARTHER_THAN_ALL = 3.4028234e38;

fn squaredDistance(a: u32, b: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < parameters.width; k++) {
    let difference = embeddings[a * parameters.width + k] - embeddings[b * parameters.width + k];
    sum += difference * difference;
  }
  return sum;
}

@compute @workgroup_size(64)
fn mine(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let anchor = (group.x + group.y * grid.x) * 64u + invocation;
  if (anchor >= parameters.count) {
    return;
  }
  // The farthest positive, the nearest negative of the own and of the other domain.
  var items = vec3u(NONE);
  var squared = vec3f(-1.0, FARTHER_THAN_ALL, FARTHER_THAN_ALL);
  // Squared distances to all items of the own and of the other domain.
  var squares = vec2f();
  for (var item = 0u; item < parameters.count; item++) {
    let sameDomain = domains[item] == domains[anchor];
    let distance = squaredDistance(anchor, item);
    squares += select(vec2f(0.0, distance), vec2f(distance, 0.0), sameDomain);
    if (labels[item] == labels[anchor]) {
      if (!sameDomain && distance > squared.x) {
        items.x = item;
        squared.x = distance;
      }
    } else if (sameDomain && distance < squared.y) {
      items.y = item;
      squared.y = distance;
    } else if (!sameDomain && distance < squared.z) {
      items.z = item;
      squared.z = distance;
    }
  }
  let distances = sqrt(max(squared, vec3f(1e-12)));
  let valid = vec2<bool>(items.x != NONE) & (items.yz != vec2u(NONE));
  let hinges = select(vec2f(), max(distances.x - distances.yz + parameters.margin, vec2f()), valid);
  let isActive = hinges > vec2f();
  chosen[anchor] = vec4u(items.x, select(vec2u(NONE), items.yz, isActive), u32(isActive.x) + u32(isActive.y));
  let counted = select(vec2f(), vec2f(1.0), valid);
  let isSketch = domains[anchor] == 0;
  let first = 12u * anchor;
  records[first] = hinges.x + hinges.y;
  records[first + 1u] = counted.x;
  records[first + 2u] = counted.y;
  records[first + 3u] = f32(isActive.x);
  records[first + 4u] = f32(isActive.y);
  records[first + 5u] = distances.x * (counted.x + counted.y);
  records[first + 6u] = select(0.0, distances.y, valid.x);
  records[first + 7u] = select(0.0, distances.z, valid.y);
  records[first + 8u] = f32(isSketch);
  records[first + 9u] = select(0.0, squares.x, isSketch);
  records[first + 10u] = select(squares.x, 0.0, isSketch);
  records[first + 11u] = select(0.0, squares.y, isSketch);
}

fn pull(anchor: vec4u, item: u32) -> i32 {
  return select(0, i32(anchor.w), anchor.x == item) - select(0, 1, anchor.y == item || anchor.z == item);
}

@compute @workgroup_size(64)
fn gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i >= parameters.count * parameters.width) {
    return;
  }
  let item = i / parameters.width;
  let k = i % parameters.width;
  var sum = 0.0;
  for (var other = 0u; other < parameters.count; other++) {
    let both = pull(chosen[item], other) + pull(chosen[other], item);
    if (both == 0) {
      continue;
    }
    let squared = squaredDistance(item, other);
    if (squared > 1e-12) {
      sum += f32(both) / sqrt(squared) * scale[0] * (embeddings[i] - embeddings[other * parameters.width + k]);
    }
  }
  dembeddings[i] = sum;
}
