// The direction of a LAMB step before it is scaled by the trust ratio: Adam's, plus the decoupled weight decay.
// rates: learning rate, beta1, beta2, epsilon. corrections: 1 - beta1^t, 1 - beta2^t, 1 - beta1, 1 - beta2.

fn direction(weight: vec4f, firstMoment: vec4f, secondMoment: vec4f, decay: f32, rates: vec4f, corrections: vec4f) -> vec4f {
  return firstMoment / corrections.x / (sqrt(secondMoment) / sqrt(corrections.y) + rates.w) + decay * weight;
}
