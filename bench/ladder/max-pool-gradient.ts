import type { KernelCall } from '../../kernels/kernel.ts';
import { pooledSize, type MaxPoolProblem } from '../../kernels/pooling/max-pool.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { widestElement } from '../../kernels/contract/element-types.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import bench from '../kernels/pooling/max-pool-gradient.bench.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;

/** One invocation for each of `columns` of a pixel. */
function gather(
  problem: MaxPoolProblem,
  columns: number,
  dispatch: Pick<Dispatch, 'shader' | 'constants'>,
): Omit<KernelCall, 'variant'> {
  const { batch, height, width, channels, window, stride, padding } = problem;
  const [pooledHeight, pooledWidth] = [height, width].map((size) => pooledSize(problem, size));
  const pooled = batch * pooledHeight * pooledWidth * channels;
  const count = batch * height * width * columns;
  return {
    operands: {
      dy: { role: 'input', type: 'f32', length: pooled },
      position: { role: 'input', type: 'u32', length: pooled },
      dx: { role: 'output', type: 'f32', length: batch * height * width * channels },
    },
    dispatches: [
      {
        ...dispatch,
        parameters: [height, width, columns, pooledHeight, pooledWidth, window, stride, padding, count],
        operands: ['dy', 'position', 'dx'],
        workgroups: foldGrid(ceilDivide(count, WORKGROUP_SIZE)),
      },
    ],
  };
}

const naive: Rung<MaxPoolProblem> = {
  name: 'naive',
  call: (problem) => gather(problem, problem.channels, { shader: ladderShader('max-pool-gradient-1-naive') }),
};

const vectors: Rung<MaxPoolProblem> = {
  name: 'vectors of channels',
  call: (problem) => {
    const { Element, elements } = widestElement(problem.channels);
    return gather(problem, elements, {
      shader: ladderShader('max-pool-gradient-2-vectors'),
      constants: { Element, Index: Element === 'vec4f' ? 'vec4u' : 'u32' },
    });
  },
};

export default ladder(bench, [naive, vectors], ['stem']);
