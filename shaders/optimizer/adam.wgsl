// One step of Adam (Kingma and Ba, ICLR 2015), or with DECOUPLED of AdamW (Loshchilov and Hutter, ICLR 2019), over a flat
// arena. For each element, with the learning rate lr and weight decay wd of its parameter group, and its gradients' factor:
//   g = factor * gradient
//   Adam    g = g + wd * p
//   AdamW   p = p - lr * wd * p
//   m = m + (1 - beta1) * (g - m)
//   v = beta2 * v + (1 - beta2) * g^2
//   p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
// in the order of torch.optim's own arithmetic.
//
// weights, gradients, firstMoment, secondMoment   [count] vec4f
// group           [count / 16] u32: the parameter group of each 64 elements
// groupSettings   [groups] vec4f: learning-rate multiplier, weight decay, factor of the gradients (1, or the reciprocal
//                 of a loss scale), 0
// hyper           [8] f32: learning rate, beta1, beta2, epsilon, 1 - beta1^t, 1 - beta2^t, 1 - beta1, 1 - beta2. The
//                 differences come from the host's float64: in float32, 1 - 0.999 is wrong in its fifth digit.
// gate            [2] u32: nothing changes where gate[0] > 0
// Dispatch: foldGrid(ceil(count / (steps * WORKGROUP_SIZE))); an invocation takes `steps` vec4f in a row, all of one block of 64
//   elements, whose settings it reads once. Constants: DECOUPLED, WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  steps: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> firstMoment: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> secondMoment: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> group: array<u32>;
@group(0) @binding(6) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> hyper: array<vec4f, 2>;
@group(0) @binding(8) var<storage, read_write> gate: array<u32, 2>;

const ELEMENTS_IN_A_BLOCK = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let first = ((id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation) * parameters.steps;
  if (first >= parameters.count || gate[0] > 0) {
    return;
  }
  let settings = groupSettings[group[first / ELEMENTS_IN_A_BLOCK]];
  let rates = hyper[0];
  let corrections = hyper[1];
  let learningRate = rates.x * settings.x;
  let beta2 = rates.z;
  let epsilon = rates.w;

  for (var i = first; i < first + parameters.steps; i++) {
    var p = weights[i];
    var g = gradients[i] * settings.z;
    if (DECOUPLED) {
      p -= learningRate * settings.y * p;
    } else {
      g += settings.y * p;
    }
    let previous = firstMoment[i];
    let m = previous + corrections.z * (g - previous);
    let v = beta2 * secondMoment[i] + corrections.w * (g * g);
    firstMoment[i] = m;
    secondMoment[i] = v;
    weights[i] = p - learningRate / corrections.x * (m / (sqrt(v) / sqrt(corrections.y) + epsilon));
  }
}
