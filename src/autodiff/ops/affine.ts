import { affine as affineKernel } from '../../../kernels/elementwise/affine.ts';
import { affineGradient as affineGradientKernel } from '../../../kernels/elementwise/affine-gradient.ts';
import { apply, cast, type GradientRule, type Op, stored, use } from '../op.ts';
import { checkOptions, checkShape } from '../attributes.ts';
import { floatType, type Tensor } from '../tensor.ts';

const op: Op<{ readonly relu: boolean }> = {
  name: 'affine',
  supportsF16: true,
  infer([x, scale, shift, residual]) {
    checkShape('affine', x.shape.slice(-1), scale, shift);
    checkShape('affine', x.shape, residual);
    return [{ shape: x.shape, type: x.type, name: scale.name }];
  },
  lower: ({ attributes: { relu }, inputs: [x, scale, shift, residual], outputs: [y] }) => [
    use(
      affineKernel,
      { ...rowsOf(x, scale), relu, residual: residual !== undefined },
      { x, scale, shift, ...(residual && { residual }), y },
    ),
  ],
  gradient: 'affineGradient',
};

export const affineGradient: GradientRule<{ readonly relu: boolean }> = (
  { attributes: { relu }, inputs: [x, scale, , residual], outputs: [y] },
  [dy],
  [, needScale, needShift],
) => {
  if (dy === undefined) return [];
  const parameterGradients = needScale || needShift;
  const inputs = [dy, scale, ...(relu ? [y] : []), ...(parameterGradients ? [x] : [])];
  const outputs = apply(gradientOp, inputs, { relu, residual: residual !== undefined, parameterGradients });
  const dresidual = relu && residual !== undefined ? outputs[1] : dy;
  const [dscale, dshift] = parameterGradients ? outputs.slice(-2) : [];
  return [outputs[0], dscale, dshift, residual && dresidual];
};

interface GradientAttributes {
  readonly relu: boolean;
  readonly residual: boolean;
  readonly parameterGradients: boolean;
}

const gradientOp: Op<GradientAttributes> = {
  name: 'affineGradient',
  supportsF16: true,
  infer: ([dy, scale], { relu, residual, parameterGradients }) => [
    { shape: dy.shape, type: dy.type, name: scale.name },
    ...(relu && residual ? [{ shape: dy.shape, type: dy.type }] : []),
    ...(parameterGradients ? [{ shape: scale.shape }, { shape: scale.shape }] : []),
  ],
  lower: ({ attributes, inputs: [dy, scale, ...rest], outputs: [dx, ...others] }) => {
    const { relu, residual, parameterGradients } = attributes;
    const y = relu ? rest.shift() : undefined;
    const [x] = rest;
    const dresidual = relu && residual ? others.shift() : undefined;
    const [dscale, dshift] = others;
    return [
      use(
        affineGradientKernel,
        { ...rowsOf(dy, scale), ...attributes },
        {
          dy,
          scale,
          dx,
          ...(y && { y }),
          ...(dresidual && { dresidual }),
          ...(parameterGradients && { x, dscale, dshift }),
        },
      ),
    ];
  },
};

const rowsOf = (x: Tensor, scale: Tensor) => ({ rows: x.length / scale.length, channels: scale.length, ...stored(x) });

/**
 * y = relu?(x * scale + shift + residual?), scale and shift [channels]: batch normalization with fixed statistics.
 * Accuracy: within 3 * 2^-24 of |x * scale| + |shift| + |residual|.
 * @internal
 */
export function affine(
  x: Tensor,
  scale: Tensor,
  shift: Tensor,
  options: { readonly residual?: Tensor; readonly relu?: boolean } = {},
): Tensor {
  checkOptions('affine', options, ['residual', 'relu']);
  const { residual, relu = false } = options;
  return apply(op, residual === undefined ? [x, scale, shift] : [x, scale, shift, cast(residual, floatType(x))], {
    relu,
  })[0];
}
