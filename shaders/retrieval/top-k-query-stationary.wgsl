// The k best items of each query within a segment of the gallery, with the queries held still by each workgroup.
//
//   score[q, i] = sum over d of  queries[q, d] * gallery[i, d]
//
// Made for processors that execute a subgroup as one vector, like convolution-weight-stationary.wgsl: a workgroup is one
// subgroup. Each lane keeps DEPTH elements of four queries in private memory, and the K best items of each, while the items
// stream past, two at a time; each load of 4 * LANES consecutive numbers of an item is shared by broadcasts. Sums have the
// order of top-k-tiled.wgsl, and the same bits. Where the dimension is above DEPTH, sums of a block of items pass through
// private memory between one K-tile and the next.
//
// Operands and library: see top-k-tiled.wgsl; queries and gallery are read in vectors.
// Dispatch: [ceil(queries / (4 * LANES)), segments, 1].
// Constants: LANES = subgroup size (4 or 8); DEPTH, a multiple of 4 * LANES up to 64; K.

struct Parameters {
  queries: u32,
  items: u32,
  dimension: u32, // a multiple of 4
  segment: u32, // items of a segment
  firstItem: u32, // the place of the first item in the whole gallery
  // K once more, hidden from the compiler so that it leaves loops over long lists loops: unrolled, they take it seconds.
  listLength: u32,
  stride: u32, // words between the lists of one segment and the next
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> queries: array<f32>;
@group(0) @binding(2) var<storage, read_write> gallery: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> segmentKeys: array<u32>;
@group(0) @binding(4) var<storage, read_write> segmentItems: array<u32>;

/// Lists up to this length are worth unrolling.
const UNROLLED = 16u;
/// Items whose sums wait for the next K-tile.
const BLOCK = 128u;
const LOADS = DEPTH / 4u / LANES;

/// Element d of this lane's four queries.
var<private> block: array<vec4f, DEPTH>;
var<private> waiting: array<vec4f, BLOCK>;
/// [place], best first: of each of the four queries.
var<private> bestKeys: array<vec4u, K>;
var<private> bestItems: array<vec4u, K>;
/// The last of bestKeys.
var<private> least: vec4u;
var<private> first: array<vec4f, LOADS>;
var<private> second: array<vec4f, LOADS>;
var<private> firstSum: vec4f;
var<private> secondSum: vec4f;

fn fill(firstQuery: u32, start: u32) {
  for (var d = 0u; d < DEPTH; d++) {
    var values = vec4f();
    for (var i = 0u; i < 4u; i++) {
      if (firstQuery + i < parameters.queries && start + d < parameters.dimension) {
        values[i] = queries[(firstQuery + i) * parameters.dimension + start + d];
      }
    }
    block[d] = values;
  }
}

// This lane's share of a K-tile of two items. All are loaded before the first is used: a load ends a basic block.
fn load(i: u32, firstPlace: u32, secondPlace: u32, element: u32) {
  if (i < LOADS) {
    let inside = element + 4u * i * LANES < parameters.dimension;
    let offset = select(0u, i * LANES, inside);
    let firstValue = gallery[firstPlace + offset];
    let secondValue = gallery[secondPlace + offset];
    first[i] = select(vec4f(), firstValue, inside);
    second[i] = select(vec4f(), secondValue, inside);
  }
}

fn multiplyAdd(firstValue: vec4f, secondValue: vec4f, element: u32) {
  firstSum = fma(vec4f(firstValue.x), block[element], firstSum);
  secondSum = fma(vec4f(secondValue.x), block[element], secondSum);
  firstSum = fma(vec4f(firstValue.y), block[element + 1u], firstSum);
  secondSum = fma(vec4f(secondValue.y), block[element + 1u], secondSum);
  firstSum = fma(vec4f(firstValue.z), block[element + 2u], firstSum);
  secondSum = fma(vec4f(secondValue.z), block[element + 2u], secondSum);
  firstSum = fma(vec4f(firstValue.w), block[element + 3u], firstSum);
  secondSum = fma(vec4f(secondValue.w), block[element + 3u], secondSum);
}

fn accumulate(i: u32) {
  if (i < LOADS) {
    let a = first[i];
    let b = second[i];
    let element = i * 4u * LANES;
    multiplyAdd(subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u), element);
    multiplyAdd(subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u), element + 4u);
    multiplyAdd(subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u), element + 8u);
    multiplyAdd(subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u), element + 12u);
    if (LANES > 4u) {
      let last = min(element + 16u, DEPTH - 16u);
      multiplyAdd(subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u), last);
      multiplyAdd(subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u), last + 4u);
      multiplyAdd(subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u), last + 8u);
      multiplyAdd(subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u), last + 12u);
    }
  }
}

/// Inserts an item into the lists of the queries of which it is one of the best.
fn offer(sum: vec4f, item: u32) {
  var keys = vec4u(keyOf(sum.x), keyOf(sum.y), keyOf(sum.z), keyOf(sum.w));
  if (all(keys <= least)) {
    return;
  }
  var items = vec4u(item);
  // From the place on where the item is inserted, each entry moves down by one.
  var moves = vec4<bool>();
  for (var place = 0u; place < select(K, parameters.listLength, K > UNROLLED); place++) {
    let key = bestKeys[place];
    let itemThere = bestItems[place];
    moves = moves | (keys > key);
    bestKeys[place] = select(key, keys, moves);
    bestItems[place] = select(itemThere, items, moves);
    keys = select(keys, key, moves);
    items = select(items, itemThere, moves);
  }
  least = bestKeys[K - 1u];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let p = parameters;
  let firstQuery = (group.x * LANES + lane) * 4u;
  let begin = group.y * p.segment;
  let end = min(begin + p.segment, p.items);
  // In vectors.
  let row = p.dimension / 4u;

  for (var place = 0u; place < select(K, parameters.listLength, K > UNROLLED); place++) {
    bestKeys[place] = vec4u(NO_KEY);
    bestItems[place] = vec4u(NO_ITEM);
  }
  least = vec4u(NO_KEY);
  for (var firstOfBlock = begin; firstOfBlock < end; firstOfBlock += BLOCK) {
    let endOfBlock = min(firstOfBlock + BLOCK, end);
    for (var start = 0u; start < p.dimension; start += DEPTH) {
      if (firstOfBlock == begin || p.dimension > DEPTH) {
        fill(firstQuery, start);
      }
      for (var item = firstOfBlock; item < endOfBlock; item += 2u) {
        // An odd item at the end is its own neighbor.
        let next = min(item + 1u, endOfBlock - 1u);
        let element = start + 4u * lane;
        // A place inside the row, also where this lane's share is behind its end.
        let offset = select(0u, element / 4u, element < p.dimension);
        firstSum = vec4f();
        secondSum = vec4f();
        if (start > 0u) {
          firstSum = waiting[item - firstOfBlock];
          secondSum = waiting[next - firstOfBlock];
        }
        load(0u, item * row + offset, next * row + offset, element);
        load(1u, item * row + offset, next * row + offset, element);
        load(2u, item * row + offset, next * row + offset, element);
        load(3u, item * row + offset, next * row + offset, element);
        load(4u, item * row + offset, next * row + offset, element);
        load(5u, item * row + offset, next * row + offset, element);
        load(6u, item * row + offset, next * row + offset, element);
        load(7u, item * row + offset, next * row + offset, element);
        accumulate(0u);
        accumulate(1u);
        accumulate(2u);
        accumulate(3u);
        accumulate(4u);
        accumulate(5u);
        accumulate(6u);
        accumulate(7u);
        if (start + DEPTH < p.dimension) {
          waiting[item - firstOfBlock] = firstSum;
          waiting[next - firstOfBlock] = secondSum;
        } else {
          offer(firstSum, p.firstItem + item);
          if (next != item) {
            offer(secondSum, p.firstItem + next);
          }
        }
      }
    }
  }

  for (var i = 0u; i < 4u; i++) {
    if (firstQuery + i < p.queries) {
      let start = group.y * p.stride + (firstQuery + i) * K;
      for (var place = 0u; place < select(K, parameters.listLength, K > UNROLLED); place++) {
        segmentKeys[start + place] = bestKeys[place][i];
        segmentItems[start + place] = bestItems[place][i];
      }
    }
  }
}
