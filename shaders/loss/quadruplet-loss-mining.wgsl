// Second stage of the quadruplet loss: choose for every anchor a positive and two negatives, and sum up the hinges.
//
// A positive p of anchor a is an item of its class from the other domain. A negative is an item of another class, either of
// the anchor's own domain (n) or of the other one (k). With d = sqrt(max(squared distance, 1e-12)), an anchor has one or two
// hinges [x]+ = max(0, x), by FORM:
//   0, domain-balanced (Tursun et al. 2022)   [d(a, p) - d(a, n) + margin]+ and [d(a, p) - d(a, k) + margin]+
//   1, one hinge       [d(a, p) - (1 - share) d(a, n) - share d(a, k) + margin]+
//   2, two pairs (Chen et al., "Beyond triplet loss", CVPR 2017)
//                      [d(a, p)^2 - d(a, k)^2 + margin]+ and [d(a, p)^2 - d(n, k)^2 + secondMargin]+
//                      with n of the anchor's domain and of a third class; their learned metric is the distance here
//   loss = sum of all hinges / number of valid hinges
// A hinge is valid where all its items exist, and active where it is greater than 0.
//
// Mining modes, an entry point each (ties go to the lowest index):
//   mineHardest    p farthest, each negative nearest (Hermans, Beyer, Leibe, "In defense of the triplet loss", 2017)
//   mineSemiHard   p farthest, each negative the nearest of those farther away than p, and where none is, the nearest of all
//                  (after Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015)
//   mineRandom     all at random: candidate number (hash(seed, anchor, 0) mod number of candidates), the hash being
//                  pcg3d of Jarzynski and Olano, "Hash functions for GPU rendering" (JCGT 2020)
// How near the n of two pairs is, is counted from k; its hash is that of (seed, anchor, 1).
//
// squaredDistances   [count, count] f32, symmetric; a slice binds the rows of its anchors, but for two pairs, which need those of k
// labels, domains    [count] u32
// seed               [1] u32, mineRandom only
// chosen             [count] vec4u: p, n, k, NONE where there is none; 0
// pulls              [count] vec4f: the weights with which active hinges hold the distances d(a, p), d(a, n) (d(k, n) in two
//                    pairs) and d(a, k); 0
// records            [count, 12] f32, the anchor's contribution to each of the sums below
// loss               [1] f32
// statistics         [10] f32, listed in kernels/loss/quadruplet-loss.ts
// scale              [1] f32, 1 / number of valid hinges, or 0 if there are none
// Dispatch: foldGrid(ceil(count / WORKGROUP_SIZE)), an invocation an anchor; then summarize, one workgroup.
// Constants: FORM, WORKGROUP_SIZE, BY_ROWS (each anchor reads its own row of the matrix, as it must where not all of it is bound;
//   else its column).

struct Parameters {
  count: u32,
  margin: f32,
  secondMargin: f32,
  share: f32,
  anchors: u32, // of this slice
  firstAnchor: u32, // the number of the first of them
}

@group(0) @binding(0) var<uniform> parameters: Parameters;

@group(0) @binding(1) var<storage, read_write> squaredDistances: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> domains: array<u32>;
@group(0) @binding(4) var<storage, read_write> chosen: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> pulls: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> records: array<f32>;
@group(0) @binding(7) var<storage, read_write> seed: array<u32, 1>;

@group(0) @binding(1) var<storage, read_write> allRecords: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32, 1>;
@group(0) @binding(3) var<storage, read_write> statistics: array<f32, 10>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32, 1>;

const ONE_HINGE = 1u;
const TWO_PAIRS = 2u;

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
const SKETCHES = 8u;
const SKETCH_SQUARES = 9u;
const PHOTO_SQUARES = 10u;
const MIXED_SQUARES = 11u;
const COLUMNS = 12u;

fn roleOf(item: u32, label: u32, domain: u32) -> u32 {
  let sameClass = labels[item] == label;
  let sameDomain = domains[item] == domain;
  return select(select(OTHER_NEGATIVE, OWN_NEGATIVE, sameDomain), select(POSITIVE, NOTHING, sameDomain), sameClass);
}

/// Read in columns where all of the matrix is bound: the invocations are neighboring anchors, so that they load neighboring words.
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

fn anchorOf(group: vec3u, grid: vec3u, invocation: u32) -> Anchor {
  let place = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
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

// By bits: a compiler may assume that no value is NaN or infinite.
fn isUndefined(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u;
}

fn notANumber(value: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(value) | 0x7fc00000u);
}

fn distanceOf(squared: f32) -> f32 {
  return sqrt(max(squared, 1e-12));
}

/// How the n of two pairs is chosen.
const NEAREST = 0u;
const NEAREST_FARTHER = 1u;
const AT_RANDOM = 2u;

fn isThird(item: u32, anchor: u32, k: u32) -> bool {
  return domains[item] == domains[anchor] && labels[item] != labels[anchor] && labels[item] != labels[k];
}

/// Takes for n an item of the anchor's domain, and of a class that is neither the anchor's nor that of k.
fn withThird(anchor: u32, quadruplet: Quadruplet, choice: u32, word: u32) -> Quadruplet {
  var result = quadruplet;
  result.items.y = NONE;
  result.squared.y = FARTHER_THAN_ALL;
  let k = quadruplet.items.z;
  if (k == NONE) {
    return result;
  }
  var candidates = 0u;
  for (var item = 0u; item < parameters.count; item++) {
    candidates += select(0u, 1u, isThird(item, anchor, k));
  }
  var waiting = word % max(candidates, 1);
  var foundFarther = false;
  for (var item = 0u; item < parameters.count; item++) {
    if (!isThird(item, anchor, k)) {
      continue;
    }
    let squared = squaredDistance(k, item);
    let farther = choice == NEAREST_FARTHER && squared > quadruplet.squared.x;
    let better = select((farther || !foundFarther) && (squared < result.squared.y || (farther && !foundFarther)), waiting == 0 && result.items.y == NONE, choice == AT_RANDOM);
    if (better) {
      result.items.y = item;
      result.squared.y = squared;
      foundFarther = farther;
    }
    waiting -= min(waiting, 1);
  }
  return result;
}

fn record(anchor: u32, chosenItems: Quadruplet, choice: u32, word: u32) {
  var quadruplet = chosenItems;
  if (FORM == TWO_PAIRS) {
    quadruplet = withThird(anchor, chosenItems, choice, word);
  }
  let items = quadruplet.items;
  let positive = distanceOf(quadruplet.squared.x);
  let negatives = vec2f(distanceOf(quadruplet.squared.y), distanceOf(quadruplet.squared.z));
  let exist = vec2<bool>(items.x != NONE) & (items.yz != vec2u(NONE));
  let both = all(exist);

  // By negative, n and k; one hinge is counted for both of them, and summed once.
  var valid = exist;
  var hinges = vec2f();
  var weights = vec2f(1.0);
  if (FORM == ONE_HINGE) {
    weights = vec2f(1.0 - parameters.share, parameters.share);
    valid = vec2<bool>(both);
    hinges = vec2f(positive - dot(weights, negatives) + parameters.margin);
  } else if (FORM == TWO_PAIRS) {
    valid = vec2<bool>(both, exist.y);
    hinges = quadruplet.squared.x - quadruplet.squared.yz + vec2f(parameters.secondMargin, parameters.margin);
  } else {
    hinges = positive - negatives + parameters.margin;
  }
  hinges = select(vec2f(), max(hinges, vec2f()), valid);
  let isActive = hinges > vec2f();
  let counted = select(vec2f(1.0), vec2f(1.0, 0.0), FORM == ONE_HINGE);
  let activeWeights = select(vec2f(), weights, isActive);

  chosen[anchor] = vec4u(items, 0);
  pulls[anchor] = vec4f(dot(counted, vec2f(isActive)), -activeWeights, 0.0);

  // Squared distances to all items of the own and of the other domain.
  var squares = vec2f();
  for (var item = 0u; item < parameters.count; item++) {
    let own = domains[item] == domains[anchor];
    squares += select(vec2f(0.0, 1.0), vec2f(1.0, 0.0), own) * squaredDistance(anchor, item);
  }
  let isSketch = domains[anchor] == 0;

  let first = anchor * COLUMNS;
  // A distance that is NaN is neither nearest nor farthest, so that mining would pass over it: the loss must not. Nor over a third domain.
  records[first + HINGES] = select(dot(counted, hinges), notANumber(squares.x + squares.y), isUndefined(squares.x + squares.y) || domains[anchor] > 1u);
  records[first + OWN_VALID] = f32(valid.x);
  records[first + OTHER_VALID] = f32(valid.y);
  records[first + OWN_ACTIVE] = f32(isActive.x);
  records[first + OTHER_ACTIVE] = f32(isActive.y);
  records[first + POSITIVE_DISTANCES] = positive * dot(counted, vec2f(valid));
  records[first + OWN_DISTANCES] = select(0.0, negatives.x, valid.x);
  records[first + OTHER_DISTANCES] = select(0.0, negatives.y, valid.y);
  records[first + SKETCHES] = f32(isSketch);
  records[first + SKETCH_SQUARES] = select(0.0, squares.x, isSketch);
  records[first + PHOTO_SQUARES] = select(squares.x, 0.0, isSketch);
  records[first + MIXED_SQUARES] = select(0.0, squares.y, isSketch);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn mineHardest(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let anchor = anchorOf(id, grid, invocation);
  if (anchor.exists) {
    record(anchor.number, hardest(anchor.number), NEAREST, 0);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn mineSemiHard(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let own = anchorOf(id, grid, invocation);
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
  record(anchor, result, NEAREST_FARTHER, 0);
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
fn mineRandom(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let own = anchorOf(id, grid, invocation);
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
  record(anchor, result, AT_RANDOM, hash(vec3u(seed[0], anchor, 1)).x);
}

var<workgroup> sums: array<f32, COLUMNS>;

fn ratio(partial: f32, whole: f32) -> f32 {
  return select(0.0, partial / max(whole, 1.0), whole > 0.0);
}

/// One invocation sums one column, in the order of the anchors.
@compute @workgroup_size(COLUMNS)
fn summarise(@builtin(local_invocation_index) invocation: u32) {
  var sum = 0.0;
  for (var anchor = 0u; anchor < parameters.count; anchor++) {
    sum += allRecords[anchor * COLUMNS + invocation];
  }
  sums[invocation] = sum;
  workgroupBarrier();
  if (invocation == 0) {
    // One hinge was counted with both negatives.
    let once = select(1.0, 0.5, FORM == ONE_HINGE);
    let validHinges = once * (sums[OWN_VALID] + sums[OTHER_VALID]);
    let activeHinges = once * (sums[OWN_ACTIVE] + sums[OTHER_ACTIVE]);
    let undefined = isUndefined(sums[HINGES]);
    loss[0] = select(ratio(sums[HINGES], validHinges), sums[HINGES], undefined);
    scale[0] = select(ratio(1.0, validHinges), sums[HINGES], undefined);
    statistics[0] = ratio(activeHinges, validHinges);
    statistics[1] = ratio(sums[POSITIVE_DISTANCES], validHinges);
    statistics[2] = ratio(sums[OWN_DISTANCES], sums[OWN_VALID]);
    statistics[3] = ratio(sums[OTHER_DISTANCES], sums[OTHER_VALID]);
    statistics[4] = ratio(sums[OWN_ACTIVE], sums[OWN_VALID]);
    statistics[5] = ratio(sums[OTHER_ACTIVE], sums[OTHER_VALID]);
    statistics[6] = validHinges;
    statistics[7] = activeHinges;
    // Means over ordered pairs, an item with itself included: |mean of a - mean of b|^2 is the mean squared distance between
    // a and b less half of that within a and half of that within b.
    let count = f32(parameters.count);
    let sketches = sums[SKETCHES];
    let photos = count - sketches;
    let mixed = ratio(sums[MIXED_SQUARES], sketches * photos);
    let within = 0.5 * (ratio(sums[SKETCH_SQUARES], sketches * sketches) + ratio(sums[PHOTO_SQUARES], photos * photos));
    let gap = mixed - within;
    statistics[8] = sqrt(select(gap, 0.0, gap < 0.0));
    statistics[9] = sqrt(0.5 * (sums[SKETCH_SQUARES] + sums[PHOTO_SQUARES] + 2.0 * sums[MIXED_SQUARES])) / count;
  }
}
