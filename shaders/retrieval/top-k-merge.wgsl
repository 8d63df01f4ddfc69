// The k best items of each query, out of the k best of each segment of the gallery.
//
// segmentKeys, segmentItems  [segments, stride >= queries * K] u32: keys (top-k-order.wgsl), best first, and the items' places in the gallery
// scores               [queries, K] f32, best first; -Infinity where there is no item
// indices              [queries, K] u32; NO_ITEM where there is none
// Library: top-k-order.wgsl.
// Dispatch: foldGrid(ceil(queries / WORKGROUP_SIZE)); one invocation a query.
// Constants: K, WORKGROUP_SIZE.

struct Parameters {
  queries: u32,
  segments: u32,
  // K once more, hidden from the compiler so that it leaves loops loops.
  listLength: u32,
  stride: u32, // words between the lists of one segment and the next
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> segmentKeys: array<u32>;
@group(0) @binding(2) var<storage, read_write> segmentItems: array<u32>;
@group(0) @binding(3) var<storage, read_write> scores: array<u32>;
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;

var<private> bestKeys: array<u32, K>;
var<private> bestItems: array<u32, K>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let query = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (query >= parameters.queries) {
    return;
  }
  // The first segment's list is the first list of all.
  for (var i = 0u; i < parameters.listLength; i++) {
    bestKeys[i] = segmentKeys[query * K + i];
    bestItems[i] = segmentItems[query * K + i];
  }
  for (var segment = 1u; segment < parameters.segments; segment++) {
    let start = segment * parameters.stride + query * K;
    for (var i = 0u; i < parameters.listLength; i++) {
      let key = segmentKeys[start + i];
      // A segment's list falls. Of equal keys that of an earlier segment stays in front: its item has the lower index.
      if (key <= bestKeys[K - 1u]) {
        break;
      }
      var place = K - 1u;
      while (place > 0u && bestKeys[place - 1u] < key) {
        bestKeys[place] = bestKeys[place - 1u];
        bestItems[place] = bestItems[place - 1u];
        place--;
      }
      bestKeys[place] = key;
      bestItems[place] = segmentItems[start + i];
    }
  }
  for (var i = 0u; i < parameters.listLength; i++) {
    scores[query * K + i] = scoreBits(bestKeys[i]);
    indices[query * K + i] = bestItems[i];
  }
}
