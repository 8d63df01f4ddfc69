// Statistics of a convolution's pixels while winograd-output.wgsl has them in registers.
//
// A library of that shader, with an entry point of its own. An invocation iterates over tiles of one channel and gathers the
// Moments of their pixels (moments.wgsl),
// column by column; the invocations of a block of tiles put theirs together, and `combine` of batch-norm-statistics.wgsl reads the
// result. All blocks but the last are of as many pixels. There is no epilogue.
//
// partials   [blocks, 3, channels] f32: shift, rest and squares
// Dispatch: [ceil(channels / columnInvocations), ceil(blocks / blocks a workgroup), 1], where a workgroup has one block with SHARED_ROWS, otherwise
//   floor(64 / columnInvocations).
// Library: moments.wgsl. Constants: Element (f32); SHARED_ROWS: a workgroup's invocations of one channel share a block of tiles; else each has its own.

@group(0) @binding(6) var<storage, read_write> partials: array<f32>;

// Statistics of the pixels that an invocation has stored.
var<private> moments: Moments;

// The pixels of a column that are inside the image, `height` of them.
fn takeIn(column: vec4f, height: u32) {
  let inside = vec4u(0u, 1u, 2u, 3u) < vec4u(height);
  let count = f32(height);
  let shift = dot(select(vec4f(), column, inside), vec4f(1.0)) / count;
  let differences = select(vec4f(), column - shift, inside);
  let rest = dot(differences, vec4f(1.0)) / count;
  moments = merged(moments, Moments(count, shift, rest, dot(differences, differences) - count * rest * rest));
}

var<workgroup> ofInvocations: array<Moments, 64>;

@compute @workgroup_size(64)
fn with_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let p = parameters;
  let tileInvocations = 64u / p.columnInvocations;
  let tileInvocation = local / p.columnInvocations;
  let block = select(group.y * tileInvocations + tileInvocation, group.y, SHARED_ROWS);
  channel = group.x * p.columnInvocations + local % p.columnInvocations;
  let inside = tileInvocation < tileInvocations && channel < p.channels && block < p.blocks;

  let stride = select(1u, tileInvocations, SHARED_ROWS);
  let firstTile = block * p.tilesPerBlock + select(0u, tileInvocation, SHARED_ROWS);
  let endTile = select(0u, min((block + 1u) * p.tilesPerBlock, p.tiles), inside);
  for (var tile = firstTile; tile < endTile; tile += stride) {
    computeTile(tile);
  }
  if (SHARED_ROWS) {
    ofInvocations[local] = moments;
    workgroupBarrier();
    if (inside && tileInvocation == 0u) {
      for (var other = 1u; other < tileInvocations; other++) {
        moments = merged(moments, ofInvocations[local + other * p.columnInvocations]);
      }
    }
  }
  if (inside && (!SHARED_ROWS || tileInvocation == 0u)) {
    let partial = 3u * block * p.channels + channel;
    partials[partial] = moments.shift;
    partials[partial + p.channels] = moments.rest;
    partials[partial + 2u * p.channels] = moments.squares;
  }
}
