// Second stage of the quadruplet loss: choose for every anchor a positive and two negatives, and sum up the hinges.
//
// A positive of anchor a is an item of its class from the other domain. A negative is an item of another class, either of
// the anchor's own domain or of the other one. With d = sqrt(max(squared distance, 1e-12)), each of the two negatives n
// makes a hinge, which is valid where both p and n exist:
//   h(n) = max(0, d(a, p) - d(a, n) + margin)
//   loss = sum of all h / number of valid h
// A hinge is active where it is greater than 0.
//
// Mining modes, an entry point each (ties go to the lowest index):
//   mineHardest    p farthest, each n nearest (Hermans, Beyer, Leibe, "In defense of the triplet loss", 2017)
//   mineSemiHard   p farthest, each n the nearest of those farther away than p, and where none is, the nearest of all
//                  (after Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015)
//   mineRandom     all three at random: candidate number (hash(seed, anchor, 0) mod number of candidates), the hash being
//                  pcg3d of Jarzynski and Olano, "Hash functions for GPU rendering" (JCGT 2020)
//
// squaredDistances   [count, count] f32, symmetric; a slice binds the rows of its anchors
// labels, domains    [count] u32
// seed               [1] u32, mineRandom only
// chosen             [count] vec4u: positive; own-domain negative and other-domain negative if their hinges are active,
//                    else NONE; number of active hinges
// records            [count, 8] f32, the anchor's contribution to each of the sums below
// loss               [1] f32
// statistics         [8] f32, listed in kernels/quadruplet_loss.ts
// scale              [1] f32, 1 / number of valid hinges, or 0 if there are none
// Dispatch: foldGrid(ceil(count / WORKGROUP_SIZE)), an invocation an anchor; then summarise, one workgroup.
// Constants: WORKGROUP_SIZE, BY_ROWS (each anchor reads its own row of the matrix, as it must where not all of it is bound;
//   else its column).

struct Parameters {
  count: u32,
  margin: f32,
  anchors: u32, // of this slice
  firstAnchor: u32, // the number of the first of them
}

@group(0) @binding(0) var<uniform> parameters: Parameters;

@group(0) @binding(1) var<storage, read_write> squaredDistances: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> domains: array<u32>;
@group(0) @binding(4) var<storage, read_write> chosen: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> records: array<f32>;
@group(0) @binding(6) var<storage, read_write> seed: array<u32, 1>;

@group(0) @binding(1) var<storage, read_write> allRecords: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32, 1>;
@group(0) @binding(3) var<storage, read_write> statistics: array<f32, 8>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32, 1>;

const NONE = 0xffffffffu;
const FARTHER_THAN_ALL = 3.4028234e38;

/// What an item is to an anchor.
const NOTHING = 3u;
const POSITIVE = 0u;
const OWN_NEGATIVE = 1u;
const OTHER_NEGATIVE = 2u;

// Columns of the records.
const HINGES = 0u;
const OWN_VALID = 1u;
const OTHER_VALID = 2u;
const OWN_ACTIVE = 3u;
const OTHER_ACTIVE = 4u;
const POSITIVE_DISTANCES = 5u;
const OWN_DISTANCES = 6u;
const OTHER_DISTANCES = 7u;
const COLUMNS = 8u;

fn roleOf(item: u32, label: u32, domain: u32) -> u32 {
  let sameClass = labels[item] == label;
  let sameDomain = domains[item] == domain;
  return select(select(OTHER_NEGATIVE, OWN_NEGATIVE, sameDomain), select(POSITIVE, NOTHING, sameDomain), sameClass);
}

/// Read in columns where all of the matrix is bound: the lanes are neighbouring anchors, so that they load neighbouring words.
fn squaredDistance(anchor: u32, item: u32) -> f32 {
  if (BY_ROWS) {
    return squaredDistances[(anchor - parameters.firstAnchor) * parameters.count + item];
  }
  return squaredDistances[item * parameters.count + anchor];
}

struct Anchor {
  number: u32,
  exists: bool,
}

fn anchorOf(group: vec3u, grid: vec3u, lane: u32) -> Anchor {
  let place = (group.x + group.y * grid.x) * WORKGROUP_SIZE + lane;
  return Anchor(parameters.firstAnchor + place, place < parameters.anchors);
}

/// The items chosen for an anchor (positive, own-domain negative, other-domain negative; NONE if there is none) with
/// their squared distances.
struct Quadruplet {
  items: vec3u,
  squared: vec3f,
}

fn hardest(anchor: u32) -> Quadruplet {
  let label = labels[anchor];
  let domain = domains[anchor];
  var result = Quadruplet(vec3u(NONE), vec3f(-1.0, FARTHER_THAN_ALL, FARTHER_THAN_ALL));
  for (var item = 0u; item < parameters.count; item++) {
    let role = roleOf(item, label, domain);
    let squared = squaredDistance(anchor, item);
    if (role == POSITIVE && squared > result.squared.x) {
      result.items.x = item;
      result.squared.x = squared;
    }
    if (role == OWN_NEGATIVE && squared < result.squared.y) {
      result.items.y = item;
      result.squared.y = squared;
    }
    if (role == OTHER_NEGATIVE && squared < result.squared.z) {
      result.items.z = item;
      result.squared.z = squared;
    }
  }
  return result;
}

fn distanceOf(squared: f32) -> f32 {
  return sqrt(max(squared, 1e-12));
}

fn record(anchor: u32, quadruplet: Quadruplet) {
  let items = quadruplet.items;
  let valid = vec2<bool>(items.x != NONE) & (items.yz != vec2u(NONE));
  let positive = distanceOf(quadruplet.squared.x);
  let negatives = vec2f(distanceOf(quadruplet.squared.y), distanceOf(quadruplet.squared.z));
  let hinges = select(vec2f(), max(positive - negatives + parameters.margin, vec2f()), valid);
  let isActive = hinges > vec2f();
  let partners = select(vec2u(NONE), items.yz, isActive);
  chosen[anchor] = vec4u(items.x, partners, u32(isActive.x) + u32(isActive.y));

  let first = anchor * COLUMNS;
  records[first + HINGES] = hinges.x + hinges.y;
  records[first + OWN_VALID] = f32(valid.x);
  records[first + OTHER_VALID] = f32(valid.y);
  records[first + OWN_ACTIVE] = f32(isActive.x);
  records[first + OTHER_ACTIVE] = f32(isActive.y);
  records[first + POSITIVE_DISTANCES] = positive * (f32(valid.x) + f32(valid.y));
  records[first + OWN_DISTANCES] = select(0.0, negatives.x, valid.x);
  records[first + OTHER_DISTANCES] = select(0.0, negatives.y, valid.y);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn mineHardest(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let anchor = anchorOf(id, grid, lane);
  if (anchor.exists) {
    record(anchor.number, hardest(anchor.number));
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn mineSemiHard(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own = anchorOf(id, grid, lane);
  if (!own.exists) {
    return;
  }
  let anchor = own.number;
  let label = labels[anchor];
  let domain = domains[anchor];
  var result = hardest(anchor);
  var items = vec2u(NONE);
  var nearest = vec2f(FARTHER_THAN_ALL);
  for (var item = 0u; item < parameters.count; item++) {
    let role = roleOf(item, label, domain);
    let squared = squaredDistance(anchor, item);
    let farther = squared > result.squared.x;
    let candidate = vec2<bool>(farther && role == OWN_NEGATIVE, farther && role == OTHER_NEGATIVE);
    let better = candidate & (vec2f(squared) < nearest);
    items = select(items, vec2u(item), better);
    nearest = select(nearest, vec2f(squared), better);
  }
  let found = items != vec2u(NONE);
  result.items = vec3u(result.items.x, select(result.items.yz, items, found));
  result.squared = vec3f(result.squared.x, select(result.squared.yz, nearest, found));
  record(anchor, result);
}

fn hash(key: vec3u) -> vec3u {
  var v = key * 1664525u + 1013904223u;
  v.x += v.y * v.z;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v ^= v >> vec3u(16);
  v.x += v.y * v.z;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  return v;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn mineRandom(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own = anchorOf(id, grid, lane);
  if (!own.exists) {
    return;
  }
  let anchor = own.number;
  let label = labels[anchor];
  let domain = domains[anchor];
  let roles = vec3u(POSITIVE, OWN_NEGATIVE, OTHER_NEGATIVE);
  var candidates = vec3u();
  for (var item = 0u; item < parameters.count; item++) {
    candidates += select(vec3u(), vec3u(1), vec3u(roleOf(item, label, domain)) == roles);
  }
  // How many candidates to let pass before taking one. Where there are none, none is taken.
  var waiting = hash(vec3u(seed[0], anchor, 0)) % max(candidates, vec3u(1));
  var result = Quadruplet(vec3u(NONE), vec3f());
  for (var item = 0u; item < parameters.count; item++) {
    let candidate = vec3u(roleOf(item, label, domain)) == roles;
    let taken = candidate & (waiting == vec3u()) & (result.items == vec3u(NONE));
    result.items = select(result.items, vec3u(item), taken);
    result.squared = select(result.squared, vec3f(squaredDistance(anchor, item)), taken);
    waiting -= select(vec3u(), vec3u(1), candidate & (waiting > vec3u()));
  }
  record(anchor, result);
}

var<workgroup> sums: array<f32, COLUMNS>;

fn ratio(part: f32, whole: f32) -> f32 {
  return select(0.0, part / max(whole, 1.0), whole > 0.0);
}

/// One lane sums one column, in the order of the anchors.
@compute @workgroup_size(COLUMNS)
fn summarise(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var anchor = 0u; anchor < parameters.count; anchor++) {
    sum += allRecords[anchor * COLUMNS + lane];
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane == 0) {
    let validHinges = sums[OWN_VALID] + sums[OTHER_VALID];
    let activeHinges = sums[OWN_ACTIVE] + sums[OTHER_ACTIVE];
    loss[0] = ratio(sums[HINGES], validHinges);
    scale[0] = ratio(1.0, validHinges);
    statistics[0] = ratio(activeHinges, validHinges);
    statistics[1] = ratio(sums[POSITIVE_DISTANCES], validHinges);
    statistics[2] = ratio(sums[OWN_DISTANCES], sums[OWN_VALID]);
    statistics[3] = ratio(sums[OTHER_DISTANCES], sums[OTHER_VALID]);
    statistics[4] = ratio(sums[OWN_ACTIVE], sums[OWN_VALID]);
    statistics[5] = ratio(sums[OTHER_ACTIVE], sums[OTHER_VALID]);
    statistics[6] = validHinges;
    statistics[7] = activeHinges;
  }
}
