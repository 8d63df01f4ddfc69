/**
 * Every kernel there is, for whoever looks after all of them. test/tuning/kernels.test.ts sees that none is missing.
 */

import { accumulate } from '../../kernels/accumulate.ts';
import { adam } from '../../kernels/adam.ts';
import { add } from '../../kernels/add.ts';
import { affine } from '../../kernels/affine.ts';
import { affineGradient } from '../../kernels/affine_gradient.ts';
import { batchNorm } from '../../kernels/batch_norm.ts';
import { batchNormGradient } from '../../kernels/batch_norm_gradient.ts';
import { bias } from '../../kernels/bias.ts';
import { cast } from '../../kernels/cast.ts';
import { columnSum } from '../../kernels/column_sum.ts';
import { contrastiveTargets } from '../../kernels/contrastive_targets.ts';
import { convolution } from '../../kernels/convolution.ts';
import { convolutionDataGradient } from '../../kernels/convolution_data_gradient.ts';
import {
  convolutionDataGradientF16,
  convolutionF16,
  convolutionStatisticsF16,
  convolutionWeightGradientF16,
} from '../../kernels/convolution_f16.ts';
import { convolutionStatistics } from '../../kernels/convolution_statistics.ts';
import { convolutionWeightGradient } from '../../kernels/convolution_weight_gradient.ts';
import { copy, concatenate } from '../../kernels/copy.ts';
import { dot } from '../../kernels/dot.ts';
import { fill } from '../../kernels/fill.ts';
import { foldBatchNorm } from '../../kernels/fold_batch_norm.ts';
import { foldBatchNormGradient } from '../../kernels/fold_batch_norm_gradient.ts';
import { globalAveragePool } from '../../kernels/global_average_pool.ts';
import { globalAveragePoolGradient } from '../../kernels/global_average_pool_gradient.ts';
import { initialize } from '../../kernels/initialize.ts';
import { interpolate } from '../../kernels/interpolate.ts';
import { l2Normalize } from '../../kernels/l2_normalize.ts';
import { l2NormalizeGradient } from '../../kernels/l2_normalize_gradient.ts';
import { lossScale } from '../../kernels/loss_scale.ts';
import { maxPool } from '../../kernels/max_pool.ts';
import { maxPoolGradient } from '../../kernels/max_pool_gradient.ts';
import { measureCopy } from '../../kernels/measure_copy.ts';
import { measureFma } from '../../kernels/measure_fma.ts';
import { measureWorkgroupMemory } from '../../kernels/measure_workgroup_memory.ts';
import { momentumSgd } from '../../kernels/momentum_sgd.ts';
import { movingAverage } from '../../kernels/moving_average.ts';
import { multiply } from '../../kernels/multiply.ts';
import { nonFinite } from '../../kernels/non_finite.ts';
import { normalize } from '../../kernels/normalize.ts';
import { oneHot } from '../../kernels/one_hot.ts';
import { prepareImages } from '../../kernels/prepare_images.ts';
import { quadrupletLoss } from '../../kernels/quadruplet_loss.ts';
import { reduceSum } from '../../kernels/reduce_sum.ts';
import { relu } from '../../kernels/relu.ts';
import { reluGradient } from '../../kernels/relu_gradient.ts';
import { scale, scaleByConstant } from '../../kernels/scale.ts';
import { selectRows } from '../../kernels/select_rows.ts';
import { selectRowsGradient } from '../../kernels/select_rows_gradient.ts';
import { softmax } from '../../kernels/softmax.ts';
import { softmaxCrossEntropy } from '../../kernels/softmax_cross_entropy.ts';
import { transpose } from '../../kernels/transpose.ts';
import type { AnyKernel } from '../autodiff/op.ts';

export const ALL_KERNELS: readonly AnyKernel[] = [
  accumulate,
  adam,
  add,
  affine,
  affineGradient,
  batchNorm,
  batchNormGradient,
  bias,
  cast,
  columnSum,
  contrastiveTargets,
  convolution,
  convolutionDataGradient,
  convolutionDataGradientF16,
  convolutionF16,
  convolutionStatistics,
  convolutionStatisticsF16,
  convolutionWeightGradient,
  convolutionWeightGradientF16,
  copy,
  concatenate,
  dot,
  fill,
  foldBatchNorm,
  foldBatchNormGradient,
  globalAveragePool,
  globalAveragePoolGradient,
  initialize,
  interpolate,
  l2Normalize,
  l2NormalizeGradient,
  lossScale,
  maxPool,
  maxPoolGradient,
  measureCopy,
  measureFma,
  measureWorkgroupMemory,
  momentumSgd,
  movingAverage,
  multiply,
  nonFinite,
  normalize,
  oneHot,
  prepareImages,
  quadrupletLoss,
  reduceSum,
  relu,
  reluGradient,
  scale,
  scaleByConstant,
  selectRows,
  selectRowsGradient,
  softmax,
  softmaxCrossEntropy,
  transpose,
];
