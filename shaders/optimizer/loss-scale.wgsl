// Dynamic loss scaling (Micikevicius et al., ICLR 2018, section 3.2): what a step's gradients say of the scale that they were
// computed with. Gradients of 16 bits are scale times too large, so that small ones do not vanish; large ones overflow.
//
//   every gradient finite   good steps + 1; after INTERVAL of them scale = min(2 scale, LARGEST), and good steps = 0
//   else                    scale = max(scale / 2, SMALLEST), good steps = 0, skipped steps + 1
//   scaledSettings = groupSettings with the gradients' factor divided by the scale of this step, which undoes it
//
// report         [2] u32: of non-finite.wgsl; where report[0] > 0 a gradient is not finite, and the update that follows does nothing
// scale          [1] f32, a power of two
// steps          [2] f32: good steps since the scale last changed, and steps that were skipped in all
// groupSettings, scaledSettings   [groups] vec4f: learning-rate multiplier, weight decay, factor of the gradients, 0
// Dispatch: one workgroup of one invocation; there is next to nothing to do.
// Constants: INTERVAL; LARGEST and SMALLEST as exponents of two, the latter negated.

struct Parameters {
  groups: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> report: array<u32, 2>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32, 1>;
@group(0) @binding(3) var<storage, read_write> steps: array<f32, 2>;
@group(0) @binding(4) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> scaledSettings: array<vec4f>;

fn powerOfTwo(exponent: i32) -> f32 {
  return bitcast<f32>(u32(exponent + 127) << 23u);
}

@compute @workgroup_size(1)
fn main() {
  // Exponents, so that nothing is rounded: WGSL's division may be.
  let exponent = i32((bitcast<u32>(scale[0]) >> 23u) & 0xffu) - 127;
  for (var group = 0u; group < parameters.groups; group++) {
    let settings = groupSettings[group];
    scaledSettings[group] = vec4f(settings.xy, settings.z * powerOfTwo(-exponent), settings.w);
  }
  if (report[0] > 0u) {
    scale[0] = powerOfTwo(max(exponent - 1, -i32(SMALLEST)));
    steps[0] = 0.0;
    steps[1] += 1.0;
  } else if (steps[0] + 1.0 >= f32(INTERVAL)) {
    scale[0] = powerOfTwo(min(exponent + 1, i32(LARGEST)));
    steps[0] = 0.0;
  } else {
    steps[0] += 1.0;
  }
}
