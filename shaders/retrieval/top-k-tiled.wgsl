// The k best items of each query within a segment of the gallery, by tiles in workgroup memory.
//
//   score[q, i] = sum over d of  queries[q, d] * gallery[i, d]
//
// Made for GPUs. A workgroup has ROWS queries and a segment of consecutive items, of which it takes COLUMNS at a time: an
// invocation computes 4 x 4 scores in registers, the reduction advances by DEPTH through tiles of workgroup memory. Scores
// never leave the workgroup: a score above the K-th best so far of its query is written to `keys` and marked in a bit mask.
// Then one invocation a query inserts what is marked into the query's list, in the order of the items. Few are: of n items
// in random order about K * (1 + ln(n / K)).
//
// queries              [queries, dimension] f32
// gallery              [items, dimension] f32
// segmentKeys, segmentItems  [segments, stride >= queries * K] u32: keys (top-k-order.wgsl), best first, and the items' places in the gallery;
//                      NO_KEY and NO_ITEM where a segment has fewer than K items with a score
// Library: top-k-order.wgsl.
// Dispatch: [ceil(queries / ROWS), segments, 1].
// Limits: ROWS * COLUMNS / 16 invocations.
// Constants: ROWS and COLUMNS, multiples of 4, COLUMNS of 32; DEPTH; K.

struct Parameters {
  queries: u32,
  items: u32,
  dimension: u32,
  segment: u32, // items of a segment
  firstItem: u32, // the place of the first item in the whole gallery
  listLength: u32, // K; not needed here
  stride: u32, // words between the lists of one segment and the next
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> queries: array<f32>;
@group(0) @binding(2) var<storage, read_write> gallery: array<f32>;
@group(0) @binding(3) var<storage, read_write> segmentKeys: array<u32>;
@group(0) @binding(4) var<storage, read_write> segmentItems: array<u32>;

const INVOCATIONS = ROWS * COLUMNS / 16u;
const MASKS = COLUMNS / 32u;

// [depth][group of four rows or columns]. The padding spreads what neighboring invocations stage over the banks.
const QUERY_STRIDE = ROWS / 4u + 1u;
const ITEM_STRIDE = COLUMNS / 4u + 1u;
var<workgroup> queryTile: array<vec4f, DEPTH * QUERY_STRIDE>;
var<workgroup> itemTile: array<vec4f, DEPTH * ITEM_STRIDE>;
var<workgroup> keys: array<u32, ROWS * COLUMNS>;
var<workgroup> marks: array<atomic<u32>, ROWS * MASKS>;
// [row][place], best first.
var<workgroup> bestKeys: array<u32, ROWS * K>;
var<workgroup> bestItems: array<u32, ROWS * K>;

/// Element d of four queries; 0 outside.
fn queryValues(query: u32, d: u32) -> vec4f {
  var values = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (query + i < parameters.queries && d < parameters.dimension) {
      values[i] = queries[(query + i) * parameters.dimension + d];
    }
  }
  return values;
}

/// Element d of four items; 0 outside.
fn itemValues(item: u32, d: u32, end: u32) -> vec4f {
  var values = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (item + i < end && d < parameters.dimension) {
      values[i] = gallery[(item + i) * parameters.dimension + d];
    }
  }
  return values;
}

/// Puts a key in its place of a list, in front of smaller ones; the last one falls out.
fn insert(row: u32, key: u32, item: u32) {
  let start = row * K;
  var place = start + K - 1u;
  // Items come in their order, so that an equal key stays in front.
  while (place > start && bestKeys[place - 1u] < key) {
    bestKeys[place] = bestKeys[place - 1u];
    bestItems[place] = bestItems[place - 1u];
    place--;
  }
  bestKeys[place] = key;
  bestItems[place] = item;
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let firstQuery = group.x * ROWS;
  let firstOfSegment = group.y * p.segment;
  let end = min(firstOfSegment + p.segment, p.items);
  // This invocation's rows and columns of the tile: four consecutive ones of each.
  let row = 4u * (invocation / (COLUMNS / 4u));
  let column = 4u * (invocation % (COLUMNS / 4u));

  for (var i = invocation; i < ROWS * K; i += INVOCATIONS) {
    bestKeys[i] = NO_KEY;
    bestItems[i] = NO_ITEM;
  }
  for (var i = invocation; i < ROWS * MASKS; i += INVOCATIONS) {
    atomicStore(&marks[i], 0u);
  }

  for (var first = firstOfSegment; first < end; first += COLUMNS) {
    var sums = array<vec4f, 4>();
    for (var start = 0u; start < p.dimension; start += DEPTH) {
      workgroupBarrier();
      // Neighboring invocations read neighboring values of a row.
      for (var i = invocation; i < DEPTH * ROWS / 4u; i += INVOCATIONS) {
        queryTile[(i % DEPTH) * QUERY_STRIDE + i / DEPTH] = queryValues(firstQuery + 4u * (i / DEPTH), start + i % DEPTH);
      }
      for (var i = invocation; i < DEPTH * COLUMNS / 4u; i += INVOCATIONS) {
        itemTile[(i % DEPTH) * ITEM_STRIDE + i / DEPTH] = itemValues(first + 4u * (i / DEPTH), start + i % DEPTH, end);
      }
      workgroupBarrier();
      for (var d = 0u; d < DEPTH; d++) {
        let own = queryTile[d * QUERY_STRIDE + row / 4u];
        let items = itemTile[d * ITEM_STRIDE + column / 4u];
        sums[0] = fma(vec4f(own.x), items, sums[0]);
        sums[1] = fma(vec4f(own.y), items, sums[1]);
        sums[2] = fma(vec4f(own.z), items, sums[2]);
        sums[3] = fma(vec4f(own.w), items, sums[3]);
      }
    }

    for (var r = 0u; r < 4u; r++) {
      let least = bestKeys[(row + r) * K + K - 1u];
      for (var c = 0u; c < 4u; c++) {
        let key = keyOf(sums[r][c]);
        if (key > least && first + column + c < end) {
          keys[(row + r) * COLUMNS + column + c] = key;
          atomicOr(&marks[(row + r) * MASKS + (column + c) / 32u], 1u << ((column + c) % 32u));
        }
      }
    }
    workgroupBarrier();
    for (var own = invocation; own < ROWS; own += INVOCATIONS) {
      for (var word = 0u; word < MASKS; word++) {
        var mask = atomicExchange(&marks[own * MASKS + word], 0u);
        while (mask != 0u) {
          let place = 32u * word + countTrailingZeros(mask);
          mask &= mask - 1u;
          let key = keys[own * COLUMNS + place];
          // The list may have risen since the mark was made.
          if (key > bestKeys[own * K + K - 1u]) {
            insert(own, key, p.firstItem + first + place);
          }
        }
      }
    }
  }

  workgroupBarrier();
  for (var i = invocation; i < ROWS * K; i += INVOCATIONS) {
    if (firstQuery + i / K < p.queries) {
      let place = group.y * p.stride + firstQuery * K + i;
      segmentKeys[place] = bestKeys[i];
      segmentItems[place] = bestItems[i];
    }
  }
}
