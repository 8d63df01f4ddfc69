// One step of RMSprop over a flat arena, as torch.optim.RMSprop defines it (neither centered nor with momentum). For each
// element, with the learning rate lr and weight decay wd of its parameter group, and its gradients' factor:
//   g = factor * gradient + wd * p
//   s = alpha * s + (1 - alpha) * g^2
//   p = p - lr * g / (sqrt(s) + epsilon)
// s starts at 0.
//
// weights, gradients, squares   [count] vec4f; squares is s
// group           [count / 16] u32: the parameter group of each 64 elements
// groupSettings   [groups] vec4f: learning-rate multiplier, weight decay, factor of the gradients (1, or the reciprocal
//                 of a loss scale), 0
// hyper           [4] f32: learning rate, alpha, 1 - alpha, epsilon
// gate            [2] u32: nothing changes where gate[0] > 0
// Dispatch: foldGrid(ceil(count / (steps * WORKGROUP_SIZE))); an invocation takes `steps` consecutive vec4f, all of one block of 64
//   elements, whose settings it reads once. Constants: WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  steps: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> squares: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> group: array<u32>;
@group(0) @binding(5) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> hyper: array<f32, 4>;
@group(0) @binding(7) var<storage, read_write> gate: array<u32, 2>;

const VECTORS_OF_A_BLOCK = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let first = ((id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation) * parameters.steps;
  if (first >= parameters.count || gate[0] > 0) {
    return;
  }
  let settings = groupSettings[group[first / VECTORS_OF_A_BLOCK]];
  let learningRate = hyper[0] * settings.x;

  for (var i = first; i < first + parameters.steps; i++) {
    let p = weights[i];
    let g = gradients[i] * settings.z + settings.y * p;
    let s = hyper[1] * squares[i] + hyper[2] * g * g;
    squares[i] = s;
    weights[i] = p - learningRate * g / (sqrt(s) + hyper[3]);
  }
}
