import { affineGradient } from './ops/affine.ts';
import { batchNormGradient, normalizeGradient } from './ops/batch-norm.ts';
import { biasGradient } from './ops/bias.ts';
import { pointwiseGradient } from './ops/broadcast.ts';
import { convolutionGradient } from './ops/convolution.ts';
import { foldBatchNormGradient } from './ops/fold-batch-norm.ts';
import { l2NormalizeGradient } from './ops/l2-normalize.ts';
import { globalAveragePoolGradient, maxPoolGradient } from './ops/pooling.ts';
import { selectRowsGradient } from './ops/rows.ts';
import { scaleByGradient } from './ops/scale.ts';

/**
 * The gradient rules whose kernels inference does not use. Their ops name them, and only `gradient`
 * imports this table, so that a bundle that never differentiates has none of those kernels. A name that is missing here
 * fails test/autodiff/gradients.test.ts.
 */
export const gradientRules = {
  affineGradient,
  batchNormGradient,
  biasGradient,
  convolutionGradient,
  foldBatchNormGradient,
  globalAveragePoolGradient,
  l2NormalizeGradient,
  maxPoolGradient,
  normalizeGradient,
  pointwiseGradient,
  scaleByGradient,
  selectRowsGradient,
};
