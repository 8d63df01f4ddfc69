import { convolution } from '../../kernels/convolution/forward.ts';
import { operandSizes, outputSize, type ConvolutionProblem } from '../../kernels/convolution/problem.ts';
import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import { sizesOf, withParameters } from '../../kernels/convolution/parameters.ts';
import { isWinograd } from '../../kernels/convolution/winograd.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import convolutionBench from '../kernels/convolution/forward.bench.ts';
import { problemsOf } from '../support/kernel-bench.ts';
import convolutionLadder from './convolution.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;
const PRODUCT = 2;

const applies = ({ kernel, stride, padding, epilogue }: ConvolutionProblem): boolean =>
  isWinograd(kernel, stride, padding) && epilogue === undefined;
const winogradCalls = (problem: ConvolutionProblem, traits: AdapterTraits): KernelCall[] =>
  convolution.calls(problem, traits).filter(({ variant }) => variant.startsWith('winograd'));

/** The convolution where Winograd's algorithm applies, by it alone. */
const winograd: Kernel<ConvolutionProblem> = {
  ...convolution,
  name: 'winograd',
  calls: winogradCalls,
  cases: convolution.cases.filter(applies),
};

/**
 * The shipped call of F(2x2) whose weights lie as one matrix: what the earlier versions take their error bound and the
 * transforms from.
 */
const plainCall = (problem: ConvolutionProblem, traits: AdapterTraits): KernelCall | undefined =>
  winogradCalls(problem, traits).find(({ variant }) => variant.startsWith('winograd 2x2 tiled'));

const direct: Rung<ConvolutionProblem> = {
  name: 'direct, naive',
  call: (problem, traits) =>
    convolutionLadder.kernel.calls(problem, traits).find(({ variant }) => variant === '1 naive'),
};

const naive: Rung<ConvolutionProblem> = {
  name: 'F(2x2), naive',
  call: (problem, traits) => {
    const plain = plainCall(problem, traits);
    if (plain === undefined) return undefined;
    const { x, w, y } = operandSizes(problem);
    const [height, width] = outputSize(problem);
    const results = problem.batch * ceilDivide(height, 2) * ceilDivide(width, 2) * problem.outputChannels;
    return {
      operands: {
        x: { role: 'input', type: 'f32', length: x },
        w: { role: 'input', type: 'f32', length: w },
        y: { role: 'output', type: 'f32', length: y },
      },
      dispatches: [
        withParameters(sizesOf(problem), {
          shader: ladderShader('winograd-1-naive'),
          operands: ['x', 'w', 'y'],
          workgroups: foldGrid(ceilDivide(results, WORKGROUP_SIZE)),
        }),
      ],
      errorBound: plain.errorBound,
    };
  },
};

const product: Rung<ConvolutionProblem> = {
  name: 'F(2x2), transforms apart',
  call: (problem, traits) => {
    const plain = plainCall(problem, traits);
    if (plain === undefined) return undefined;
    // The product of each frequency: [tiles, channels] x [channels, columns].
    const { operands, workgroups } = plain.dispatches[PRODUCT];
    const length = (operand: number): number => plain.operands[operands[operand]].length / workgroups[2];
    const rows = Math.sqrt((length(0) * length(2)) / length(1));
    const [depth, columns] = [length(0) / rows, length(2) / rows];
    const [x, y] = foldGrid(ceilDivide(rows * columns, WORKGROUP_SIZE));
    const dispatches = plain.dispatches.map((dispatch, index) =>
      index === PRODUCT
        ? {
            shader: ladderShader('winograd-2-product'),
            parameters: [rows, depth, columns],
            operands: operands.slice(0, 3),
            workgroups: [x, y, workgroups[2]] as const,
          }
        : dispatch,
    );
    return { operands: plain.operands, dispatches, errorBound: plain.errorBound };
  },
};

export default ladder(
  {
    kernel: winograd,
    problems: (work) =>
      Object.fromEntries(Object.entries(problemsOf(convolutionBench, work)).filter(([, problem]) => applies(problem))),
  },
  [direct, naive, product],
  ['layer1 3x3', 'layer3 3x3'],
);
