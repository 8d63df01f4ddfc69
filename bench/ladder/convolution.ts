import { hasVectors, operandSizes, type ConvolutionProblem } from '../../kernels/convolution/problem.ts';
import type { KernelCall } from '../../kernels/kernel.ts';
import { gatherOf } from '../../kernels/convolution/gather.ts';
import { pointwiseStaging, productCall } from '../../kernels/convolution/gpu/tiles.ts';
import { sizesOf, withParameters } from '../../kernels/convolution/parameters.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import bench from '../kernels/convolution/forward.bench.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;
const SIDE = 16;

/** The earlier versions know no epilogue. */
function forward(
  problem: ConvolutionProblem,
  dispatch: Pick<Dispatch, 'shader' | 'constants' | 'workgroups'>,
): Omit<KernelCall, 'variant'> | undefined {
  if (problem.epilogue !== undefined) return undefined;
  const { x, w, y } = operandSizes(problem);
  return {
    operands: {
      x: { role: 'input', type: 'f32', length: x },
      w: { role: 'input', type: 'f32', length: w },
      y: { role: 'output', type: 'f32', length: y },
    },
    dispatches: [withParameters(sizesOf(problem), { ...dispatch, operands: ['x', 'w', 'y'] })],
  };
}

const naive: Rung<ConvolutionProblem> = {
  name: 'naive',
  call: (problem) =>
    forward(problem, {
      shader: ladderShader('convolution-1-naive'),
      workgroups: foldGrid(ceilDivide(operandSizes(problem).y, WORKGROUP_SIZE)),
    }),
};

const vectors: Rung<ConvolutionProblem> = {
  name: 'vectors of outputs',
  call: (problem) =>
    problem.outputChannels % 4 === 0
      ? forward(problem, {
          shader: ladderShader('convolution-2-vectors'),
          workgroups: foldGrid(ceilDivide(operandSizes(problem).y / 4, WORKGROUP_SIZE)),
        })
      : undefined,
};

const tile: Rung<ConvolutionProblem> = {
  name: 'workgroup tile',
  call: (problem, traits) => {
    if (SIDE * SIDE > traits.maxWorkgroupInvocations) return undefined;
    const pixels = operandSizes(problem).y / problem.outputChannels;
    return forward(problem, {
      shader: ladderShader('convolution-3-tile'),
      constants: { SIDE },
      workgroups: [ceilDivide(pixels, SIDE), ceilDivide(problem.outputChannels, SIDE), 1],
    });
  },
};

/** Eight pixels x four channels a lane, by one subgroup: source values are shuffled, and no workgroup memory is used. */
const subgroup: Rung<ConvolutionProblem> = {
  name: 'subgroup registers',
  call: (problem, traits) => {
    const lanes = traits.subgroupSize;
    const gather = gatherOf(problem, 'forward');
    if (lanes < 4 || !hasVectors(problem)) return undefined;
    const rows = Math.max(8, lanes / 4);
    const tile = { rows, columns: 4 * lanes, depth: 16, rowsEach: rows, columnsEach: 4 };
    return productCall(gather, tile, traits, {
      ...pointwiseStaging(tile),
      workgroupBytes: 0,
      name: 'subgroup',
      shader: () => ({
        shader: ladderShader('convolution-4-subgroup'),
        libraries: [shaders.convolutionAxis],
        features: ['subgroups'],
        constants: { LANES: lanes, ROWS: rows, DEPTH: tile.depth, UNROLLED: traits.kind === 'gpu' },
      }),
    });
  },
};

/** Blocks of 64 that stay, whose sums go to the destination after each K-tile. */
const block = (problem: ConvolutionProblem, traits: AdapterTraits): KernelCall | undefined =>
  bench.kernel
    .calls(problem, traits)
    .find(({ variant }) => variant.startsWith('weight-stationary 64x') && !variant.endsWith('resident accumulators'));

/** Before it was known that a kernel of one tap needs to look at no bounds, and before blocks went deeper than 64. */
const bounded: Rung<ConvolutionProblem> = {
  name: 'weight-stationary, bounds looked at',
  call: (problem, traits) => {
    const call = block(problem, traits);
    return (
      call && {
        ...call,
        dispatches: call.dispatches.map((dispatch) => ({
          ...dispatch,
          slices: undefined,
          constants: { ...dispatch.constants, INSIDE: false, WHOLE: false, POINTWISE: false },
        })),
      }
    );
  },
};

const weightStationary: Rung<ConvolutionProblem> = { name: 'weight-stationary', call: block };

export default ladder(
  bench,
  [naive, vectors, tile, subgroup, bounded, weightStationary],
  ['stem', 'layer1 3x3', 'layer3 1x1 in', 'layer4 1x1 in'],
);
