/**
 * The registry of kernels: families, the modules of each, and the kernels that a module declares. The tuner, `sketchgrad
 * doctor`, benchmarks, tests and predictions read it. A module's shader, test, benchmark and page are in the folder of
 * its family, under its name. test/kernels/registry.test.ts finds what is missing.
 */

import { convolutionDataGradient } from './convolution/data-gradient.ts';
import { convolution } from './convolution/forward.ts';
import { convolutionStatistics } from './convolution/statistics.ts';
import { convolutionWeightGradient } from './convolution/weight-gradient.ts';
import { batchNorm } from './normalization/batch-norm.ts';
import { batchNormGradient } from './normalization/batch-norm-gradient.ts';
import { foldBatchNorm } from './normalization/fold-batch-norm.ts';
import { foldBatchNormGradient } from './normalization/fold-batch-norm-gradient.ts';
import { l2Normalize } from './normalization/l2-normalize.ts';
import { l2NormalizeGradient } from './normalization/l2-normalize-gradient.ts';
import { movingAverage } from './normalization/moving-average.ts';
import { normalize } from './normalization/normalize.ts';
import { accumulate } from './elementwise/accumulate.ts';
import { affine } from './elementwise/affine.ts';
import { affineGradient } from './elementwise/affine-gradient.ts';
import { bias } from './elementwise/bias.ts';
import { cast } from './elementwise/cast.ts';
import { fill } from './elementwise/fill.ts';
import * as functions from './elementwise/functions.ts';
import { interpolate } from './elementwise/interpolate.ts';
import { pointwiseKernel, withDerivatives } from './elementwise/pointwise.ts';
import { axisSum } from './reduction/axis-sum.ts';
import { columnSum } from './reduction/column-sum.ts';
import { dot } from './reduction/dot.ts';
import { logSumExp } from './reduction/log-sum-exp.ts';
import { nonFinite } from './reduction/non-finite.ts';
import { reduceSum } from './reduction/reduce-sum.ts';
import { globalAveragePool } from './pooling/global-average-pool.ts';
import { globalAveragePoolGradient } from './pooling/global-average-pool-gradient.ts';
import { maxPool } from './pooling/max-pool.ts';
import { maxPoolGradient } from './pooling/max-pool-gradient.ts';
import { contrastiveTargets } from './loss/contrastive-targets.ts';
import { quadrupletLoss } from './loss/quadruplet-loss.ts';
import { softmax } from './loss/softmax.ts';
import { softmaxCrossEntropy } from './loss/softmax-cross-entropy.ts';
import { adam } from './optimizer/adam.ts';
import { lamb } from './optimizer/lamb.ts';
import { lars } from './optimizer/lars.ts';
import { lossScale } from './optimizer/loss-scale.ts';
import { momentumSgd } from './optimizer/momentum-sgd.ts';
import { copy, concatenate } from './layout/copy.ts';
import { oneHot } from './layout/one-hot.ts';
import { selectRows } from './layout/select-rows.ts';
import { selectRowsGradient } from './layout/select-rows-gradient.ts';
import { transpose } from './layout/transpose.ts';
import { topK } from './retrieval/top-k.ts';
import { prepareImages } from './image/prepare-images.ts';
import { initialize } from './random/initialize.ts';
import { measureCopy } from './measure/measure-copy.ts';
import { measureFma } from './measure/measure-fma.ts';
import { measureWorkgroupMemory } from './measure/measure-workgroup-memory.ts';
import type { AnyKernel } from './kernel.ts';

export const KERNEL_FAMILIES = {
  convolution: {
    'data-gradient': [convolutionDataGradient],
    forward: [convolution],
    statistics: [convolutionStatistics],
    'weight-gradient': [convolutionWeightGradient],
  },
  normalization: {
    'batch-norm': [batchNorm],
    'batch-norm-gradient': [batchNormGradient],
    'fold-batch-norm': [foldBatchNorm],
    'fold-batch-norm-gradient': [foldBatchNormGradient],
    'l2-normalize': [l2Normalize],
    'l2-normalize-gradient': [l2NormalizeGradient],
    'moving-average': [movingAverage],
    normalize: [normalize],
  },
  elementwise: {
    accumulate: [accumulate],
    affine: [affine],
    'affine-gradient': [affineGradient],
    bias: [bias],
    cast: [cast],
    fill: [fill],
    interpolate: [interpolate],
    pointwise: withDerivatives(Object.values(functions)).map(pointwiseKernel),
  },
  reduction: {
    'axis-sum': [axisSum],
    'column-sum': [columnSum],
    dot: [dot],
    'log-sum-exp': [logSumExp],
    'non-finite': [nonFinite],
    'reduce-sum': [reduceSum],
  },
  pooling: {
    'global-average-pool': [globalAveragePool],
    'global-average-pool-gradient': [globalAveragePoolGradient],
    'max-pool': [maxPool],
    'max-pool-gradient': [maxPoolGradient],
  },
  loss: {
    'contrastive-targets': [contrastiveTargets],
    'quadruplet-loss': [quadrupletLoss],
    softmax: [softmax],
    'softmax-cross-entropy': [softmaxCrossEntropy],
  },
  optimizer: {
    adam: [adam],
    lamb: [lamb],
    lars: [lars],
    'loss-scale': [lossScale],
    'momentum-sgd': [momentumSgd],
  },
  layout: {
    copy: [copy, concatenate],
    'one-hot': [oneHot],
    'select-rows': [selectRows],
    'select-rows-gradient': [selectRowsGradient],
    transpose: [transpose],
  },
  retrieval: {
    'top-k': [topK],
  },
  image: {
    'prepare-images': [prepareImages],
  },
  random: {
    initialize: [initialize],
  },
  measure: {
    'measure-copy': [measureCopy],
    'measure-fma': [measureFma],
    'measure-workgroup-memory': [measureWorkgroupMemory],
  },
} satisfies Record<string, Record<string, readonly AnyKernel[]>>;

export type KernelFamily = keyof typeof KERNEL_FAMILIES;

/** Every module of the registry. */
export const KERNEL_MODULES: readonly {
  readonly family: KernelFamily;
  readonly module: string;
  readonly kernels: readonly AnyKernel[];
}[] = Object.entries(KERNEL_FAMILIES).flatMap(([family, modules]) =>
  Object.entries(modules as Record<string, readonly AnyKernel[]>).map(([module, kernels]) => ({
    family: family as KernelFamily,
    module,
    kernels,
  })),
);

/** Every kernel. */
export const ALL_KERNELS: readonly AnyKernel[] = KERNEL_MODULES.flatMap(({ kernels }) => kernels);
