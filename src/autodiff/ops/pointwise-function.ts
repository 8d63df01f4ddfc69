import { pointwiseKernel, type PointwiseFunction } from '../../../kernels/elementwise/pointwise.ts';
import { checkNumber } from '../attributes.ts';
import { broadcastProblem, broadcastShape } from '../broadcasting.ts';
import { apply, cast, type Op, stored, use } from '../op.ts';
import { floatType, ShapeError, type Shape, type Tensor } from '../tensor.ts';

/** What a node of a pointwise function knows beside its inputs. @internal */
export interface PointwiseAttributes {
  readonly function: PointwiseFunction;
  readonly parameters: Readonly<Record<string, number>>;
  /** The shape of the result. */
  readonly shape: Shape;
}

const ops = new WeakMap<PointwiseFunction, Op<PointwiseAttributes>>();

/** The op of a function; the same function gives the same op. */
function opOf(of: PointwiseFunction): Op<PointwiseAttributes> {
  let op = ops.get(of);
  if (op === undefined) ops.set(of, (op = makeOp(of)));
  return op;
}

const makeOp = ({ name, operands, halves, derivatives }: PointwiseFunction): Op<PointwiseAttributes> => ({
  name,
  supportsF16: halves,
  infer: ([{ type }], { shape }) => [{ shape, type }],
  lower: ({ attributes: { function: of, parameters, shape }, inputs, outputs: [result] }) => [
    use(
      pointwiseKernel(of),
      {
        ...broadcastProblem(
          shape,
          inputs.map((tensor) => tensor.shape),
        ),
        ...(of.parameters && { parameters }),
        ...stored(result),
      },
      { ...Object.fromEntries(inputs.map((tensor, index) => [operands[index], tensor])), result },
    ),
  ],
  gradient: derivatives && 'pointwiseGradient',
});

/**
 * A pointwise function of one to three tensors, broadcast as NumPy does: shapes are compared from the last axis to the
 * first, and a tensor is repeated along an axis where it has the size 1 or which it lacks. The gradient of a tensor is
 * summed over the axes along which it was repeated. The result is f16 where the function stores halves and all inputs
 * are f16, otherwise f32.
 *
 * The functions of sketchgrad have names of their own (`add`, `gelu`, ...); this one takes any declaration, so that a
 * function of your own needs no kernel and no gradient rule.
 * @param parameters numbers by the names that the function declares
 * @throws ShapeError where shapes cannot be broadcast, or a parameter is missing or not finite
 */
export function pointwise(
  of: PointwiseFunction,
  inputs: readonly Tensor[],
  parameters: Readonly<Record<string, number>> = {},
  shape: Shape = broadcastShape(of.name, inputs),
): Tensor {
  if (inputs.length !== of.operands.length)
    throw new ShapeError(`${of.name}: ${of.operands.join(', ')} were expected, not ${inputs.length} tensors`);
  for (const name of Object.keys(of.parameters ?? {})) checkNumber(of.name, name, parameters[name]);
  const type = of.halves === true && inputs.every((tensor) => floatType(tensor) === 'f16') ? 'f16' : 'f32';
  const attributes = { function: of, parameters, shape };
  return apply(
    opOf(of),
    inputs.map((tensor) => cast(tensor, type)),
    attributes,
  )[0];
}
