/** Activations of ResNet50 at batch 16 and 64x64 pixels, as rows (N * H * W) and channels, at full and at quarter width. */
export const RESNET50_ACTIVATIONS = {
  'stem 16x32x32x64': { rows: 16 * 32 * 32, channels: 64 },
  'layer1 16x16x16x256': { rows: 16 * 16 * 16, channels: 256 },
  'layer2 16x8x8x512': { rows: 16 * 8 * 8, channels: 512 },
  'layer3 16x4x4x1024': { rows: 16 * 4 * 4, channels: 1024 },
  'layer4 16x2x2x2048': { rows: 16 * 2 * 2, channels: 2048 },
  'quarter stem 16x32x32x16': { rows: 16 * 32 * 32, channels: 16 },
  'quarter layer1 16x16x16x64': { rows: 16 * 16 * 16, channels: 64 },
  'quarter layer4 16x2x2x512': { rows: 16 * 2 * 2, channels: 512 },
} as const;

/** The problems of a kernel at all of these shapes, `flags` added to each. */
export function atResNet50Shapes<Flags>(flags: Flags): Record<string, { rows: number; channels: number } & Flags> {
  return Object.fromEntries(Object.entries(RESNET50_ACTIVATIONS).map(([name, shape]) => [name, { ...shape, ...flags }]));
}
