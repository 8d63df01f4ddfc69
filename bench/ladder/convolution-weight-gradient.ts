import { operandSizes, type ConvolutionShape } from '../../kernels/convolution/problem.ts';
import type { Operand } from '../../kernels/kernel.ts';
import { widestElement } from '../../kernels/contract/element-types.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import bench from '../kernels/convolution/weight-gradient.bench.ts';
import { FIELDS, sizesOf, withParameters } from '../../kernels/convolution/parameters.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;
/** Parts of at least this many pixels: shorter ones cost more in the second dispatch than they give. */
const LEAST_PIXELS = 256;
const MOST_PARTIALS = 16;

const operandsOf = (shape: ConvolutionShape): Record<'x' | 'dy' | 'dw', Operand> => {
  const { x, w, y } = operandSizes(shape);
  return {
    x: { role: 'input', type: 'f32', length: x },
    dy: { role: 'input', type: 'f32', length: y },
    dw: { role: 'output', type: 'f32', length: w },
  };
};

const naive: Rung<ConvolutionShape> = {
  name: 'naive',
  call: (shape) => ({
    operands: operandsOf(shape),
    dispatches: [
      withParameters(sizesOf(shape), {
        shader: ladderShader('weight-gradient-1-naive'),
        operands: ['x', 'dy', 'dw'],
        workgroups: foldGrid(ceilDivide(operandSizes(shape).w, WORKGROUP_SIZE)),
      }),
    ],
  }),
};

const split: Rung<ConvolutionShape> = {
  name: 'split pixels',
  call: (shape) => {
    const { w, y } = operandSizes(shape);
    const pixels = y / shape.outputChannels;
    const pixelsPerPartial = ceilDivide(
      pixels,
      Math.min(MOST_PARTIALS, Math.max(1, Math.floor(pixels / LEAST_PIXELS))),
    );
    const partialSums = ceilDivide(pixels, pixelsPerPartial);
    const { Element, elements } = widestElement(w);
    return {
      operands: { ...operandsOf(shape), partialSums: { role: 'scratch', type: 'f32', length: partialSums * w } },
      dispatches: [
        withParameters(
          { ...sizesOf(shape), pixelsPerSplit: pixelsPerPartial },
          {
            shader: ladderShader('weight-gradient-2-split'),
            operands: ['x', 'dy', 'partialSums'],
            workgroups: [ceilDivide(w, WORKGROUP_SIZE), partialSums, 1],
          },
        ),
        {
          shader: shaders.sumPartials,
          libraries: [shaders.partialSums],
          constants: { Element, WORKGROUP_SIZE },
          parameters: [elements, partialSums],
          operands: ['partialSums', 'dw'],
          workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
        },
      ],
    };
  },
};

const ROWS = 32;

/** The current output-stationary tiles, with a bounds check at every load. */
const bounds: Rung<ConvolutionShape> = {
  name: 'tile of sums',
  call: (shape, traits) => {
    const call = bench.kernel.calls(shape, traits).find(({ variant }) => variant.startsWith('output-stationary'));
    if (call === undefined) return undefined;
    // Its tiles had 32 rows even where a run is shorter.
    const dispatches = call.dispatches.map((dispatch) => {
      const { shader, features, constants, libraries, parameters = [], operands, workgroups } = dispatch;
      if (shader !== shaders.convolutionWeightGradientOutputStationary) return dispatch;
      return {
        shader: ladderShader('weight-gradient-3-bounds'),
        features,
        libraries,
        constants: { ...constants, ROWS },
        parameters: parameters.with(FIELDS.indexOf('rows'), ROWS),
        operands,
        workgroups,
      };
    });
    return { operands: call.operands, dispatches };
  },
};

export default ladder(bench, [naive, split, bounds], ['stem', 'layer1 3x3', 'layer3 1x1 in']);
