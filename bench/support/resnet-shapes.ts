import type { Work } from './kernel-bench.ts';

/**
 * Activations of ResNet50 as rows (N * H * W) and channels, at full width, and at the demo's quarter width where it
 * differs most.
 */
export function resnet50Activations({
  batch,
  size,
}: Work): Record<string, { readonly rows: number; readonly channels: number }> {
  const shapes: Record<string, { rows: number; channels: number }> = {};
  for (const [prefix, width] of [
    ['', 1],
    ['quarter ', 1 / 4],
  ] as const) {
    const stages = [64, 256, 512, 1024, 2048].map((channels, stage) => {
      // The stem halves the image, the pooling after it and each layer but the first again.
      const side = Math.ceil(size / 2 ** (stage + 1));
      return { name: stage === 0 ? 'stem' : `layer${stage}`, side, channels: channels * width };
    });
    const shown = prefix === '' ? stages : stages.filter(({ name }) => name !== 'layer2' && name !== 'layer3');
    for (const { name, side, channels } of shown) {
      shapes[`${prefix}${name} ${batch}x${side}x${side}x${channels}`] = { rows: batch * side * side, channels };
    }
  }
  return shapes;
}

/** The problems of a kernel at all of these shapes, `flags` added to each. */
export function atResNet50Shapes<Flags>(
  flags: Flags,
): (work: Work) => Record<string, { rows: number; channels: number } & Flags> {
  return (work) =>
    Object.fromEntries(
      Object.entries(resnet50Activations(work)).map(([name, shape]) => [name, { ...shape, ...flags }]),
    );
}

/** Problems of a kernel with activations as f32, and the same as f16. */
export function inBothTypes<Problem>(
  problems: (work: Work) => Record<string, Problem>,
): (work: Work) => Record<string, Problem | (Problem & { readonly type: 'f16' })> {
  return (work) => ({
    ...problems(work),
    ...Object.fromEntries(
      Object.entries(problems(work)).map(([name, problem]) => [`${name} f16`, { ...problem, type: 'f16' as const }]),
    ),
  });
}
