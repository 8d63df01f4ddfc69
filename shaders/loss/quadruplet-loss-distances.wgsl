// First stage of the quadruplet loss: squaredDistances[i, j] = sum over k of (embeddings[i, k] - embeddings[j, k])^2.
//
// The differences are summed as they are. The cheaper 2 - 2 f.g cancels for near neighbors, and those decide the mining.
// The matrix is symmetric to the last bit, which the next stages use to read it in columns.
//
// embeddings         [count, width] f32, or vec4f with [count, width / 4]
// squaredDistances   [count, count] f32; a slice holds its rows from firstRow on
// Entry points: pairPerInvocation (vec4f), dispatch (ceil(count / 8), ceil(rows / WORKGROUP_ROWS)).
//   tilePerInvocation (f32), 4 x 4 pairs each, so that 8 loads serve 16 differences; dispatch (ceil(count / 32),
//   ceil(rows / (4 * WORKGROUP_ROWS))).
// Constants: WORKGROUP_ROWS.

struct Parameters {
  count: u32,
  width: u32, // in vec4f for pairPerInvocation
  rows: u32, // of the matrix that this slice computes
  firstRow: u32, // the number of the first of them
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> embeddings: array<f32>;
@group(0) @binding(1) var<storage, read_write> vectors: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> squaredDistances: array<f32>;

@compute @workgroup_size(8, WORKGROUP_ROWS)
fn pairPerInvocation(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= parameters.count || id.y >= parameters.rows) {
    return;
  }
  let left = (parameters.firstRow + id.y) * parameters.width;
  let right = id.x * parameters.width;
  var sum = vec4f();
  for (var k = 0u; k < parameters.width; k++) {
    let difference = vectors[left + k] - vectors[right + k];
    sum += difference * difference;
  }
  squaredDistances[id.y * parameters.count + id.x] = (sum.x + sum.y) + (sum.z + sum.w);
}

@compute @workgroup_size(8, WORKGROUP_ROWS)
fn tilePerInvocation(@builtin(global_invocation_id) id: vec3u) {
  let row = 4 * id.y;
  let column = 4 * id.x;
  // Rows beyond the last repeat it; what they give is not written.
  let last = vec4u(parameters.count - 1);
  let rows = min(parameters.firstRow + row + vec4u(0, 1, 2, 3), last) * parameters.width;
  let columns = min(column + vec4u(0, 1, 2, 3), last) * parameters.width;
  var sums = mat4x4f();
  for (var k = 0u; k < parameters.width; k++) {
    let right = vec4f(embeddings[columns.x + k], embeddings[columns.y + k], embeddings[columns.z + k], embeddings[columns.w + k]);
    let d0 = embeddings[rows.x + k] - right;
    let d1 = embeddings[rows.y + k] - right;
    let d2 = embeddings[rows.z + k] - right;
    let d3 = embeddings[rows.w + k] - right;
    sums += mat4x4f(d0 * d0, d1 * d1, d2 * d2, d3 * d3);
  }
  for (var i = 0u; i < 4; i++) {
    for (var j = 0u; j < 4; j++) {
      if (row + i < parameters.rows && column + j < parameters.count) {
        squaredDistances[(row + i) * parameters.count + column + j] = sums[i][j];
      }
    }
  }
}
