// The gradient of the domain-balanced quadruplet loss from its matrix of distances; shaders/loss/quadruplet-loss-gradient.wgsl
// defines it, and the stages before
// it are the shipped ones.
//
// Rung 2: distances are computed once, in a matrix. One invocation a component still asks of every pair whether it has a part in the loss:
// few do, and all components of an item ask the same.
//
// chosen [count] vec4u   pulls [count] vec4f   squaredDistances [count, count]   scale [1]   embeddings, dembeddings [count, width]
// Dispatch: foldGrid(ceil(count * width / 64)).

struct Parameters {
  count: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> chosen: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> squaredDistances: array<f32>;
@group(0) @binding(3) var<storage, read_write> scale: array<f32, 1>;
@group(0) @binding(4) var<storage, read_write> embeddings: array<f32>;
@group(0) @binding(5) var<storage, read_write> dembeddings: array<f32>;
@group(0) @binding(6) var<storage, read_write> pulls: array<vec4f>;

fn pull(anchor: u32, item: u32) -> f32 {
  return dot(select(vec3f(), pulls[anchor].xyz, chosen[anchor].xyz == vec3u(item)), vec3f(1.0));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i >= parameters.count * parameters.width) {
    return;
  }
  let item = i / parameters.width;
  let k = i % parameters.width;
  var sum = 0.0;
  for (var other = 0u; other < parameters.count; other++) {
    let both = pull(item, other) + pull(other, item);
    let squared = squaredDistances[other * parameters.count + item];
    if (both != 0.0 && squared > 1e-12) {
      sum += both / sqrt(squared) * scale[0] * (embeddings[i] - embeddings[other * parameters.width + k]);
    }
  }
  dembeddings[i] = sum;
}
