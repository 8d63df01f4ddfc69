// One step of stochastic gradient descent with momentum over a flat arena, as torch.optim.SGD defines it (dampening 0).
// For each element, with the learning rate lr and weight decay wd of its parameter group, and its gradients' factor:
//   g = factor * gradient + wd * p
//   b = momentum * b + g
//   p = p - lr * b, or with NESTEROV (Sutskever et al., ICML 2013) p = p - lr * (g + momentum * b)
// b starts at 0, which makes the first step b = g.
//
// weights, gradients, velocity   [count] vec4f; velocity is b
// group           [count / 16] u32: the parameter group of each 64 elements
// groupSettings   [groups] vec4f: learning-rate multiplier, weight decay, factor of the gradients (1, or the reciprocal
//                 of a loss scale), 0
// hyper           [2] f32: learning rate, momentum
// gate            [2] u32: nothing changes where gate[0] > 0
// Dispatch: foldGrid(ceil(count / (steps * WORKGROUP_SIZE))); an invocation takes `steps` vec4f in a row, all of one block of 64
//   elements, whose settings it reads once. Constants: NESTEROV, WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  steps: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> velocity: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> group: array<u32>;
@group(0) @binding(5) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> hyper: array<f32, 2>;
@group(0) @binding(7) var<storage, read_write> gate: array<u32, 2>;

const ELEMENTS_IN_A_BLOCK = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let first = ((id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation) * parameters.steps;
  if (first >= parameters.count || gate[0] > 0) {
    return;
  }
  let settings = groupSettings[group[first / ELEMENTS_IN_A_BLOCK]];
  let learningRate = hyper[0] * settings.x;
  let momentum = hyper[1];

  for (var i = first; i < first + parameters.steps; i++) {
    let p = weights[i];
    let g = gradients[i] * settings.z + settings.y * p;
    let b = momentum * velocity[i] + g;
    velocity[i] = b;
    if (NESTEROV) {
      weights[i] = p - learningRate * (g + momentum * b);
    } else {
      weights[i] = p - learningRate * b;
    }
  }
}
