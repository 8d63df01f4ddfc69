/** NumPy's rule: shapes are compared from the last axis to the first; sizes are equal, or one is 1 or missing. */
import type { PointwiseProblem } from '../../kernels/elementwise/pointwise.ts';
import { sameShape } from './attributes.ts';
import { describe, elementCount, ShapeError, type Shape, type Tensor } from './tensor.ts';

const RULE = 'counted from the last axis, sizes must be equal or 1';

/** The size of a shape along an axis of a shape of `rank` axes. */
const sizeAt = (shape: Shape, axis: number, rank: number): number => shape[shape.length - rank + axis] ?? 1;

/** The shape to which tensors are broadcast. @throws ShapeError, which names the op and all shapes */
export function broadcastShape(op: string, tensors: readonly Tensor[]): Shape {
  const rank = Math.max(0, ...tensors.map(({ shape }) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = tensors.map(({ shape }) => sizeAt(shape, axis, rank));
    const size = Math.max(...sizes);
    if (sizes.some((other) => other !== 1 && other !== size))
      throw new ShapeError(`${op}: ${tensors.map(describe).join(' and ')} cannot be broadcast: ${RULE}`);
    return size;
  });
}

/** @throws ShapeError where a shape cannot be broadcast to another */
export function checkBroadcast(op: string, from: Shape, to: Shape): void {
  const fits = from.length <= to.length && to.every((size, axis) => [1, size].includes(sizeAt(from, axis, to.length)));
  if (!fits) throw new ShapeError(`${op}: [${from.join(', ')}] cannot be broadcast to [${to.join(', ')}]: ${RULE}`);
}

/** The kernel's view of shapes: adjacent axes that all operands treat the same way are one, and axes of size 1 none. */
export function broadcastProblem(shape: Shape, operands: readonly Shape[]): Pick<PointwiseProblem, 'count' | 'axes'> {
  const count = elementCount(shape);
  if (operands.every((operand) => elementCount(operand) === count)) return { count };
  const axes: number[][] = [];
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const varies = operands.map((operand) => (sizeAt(operand, axis, shape.length) === 1 ? 0 : 1));
    const before = axes.at(-1);
    if (before !== undefined && sameShape(before.slice(1), varies)) before[0] *= size;
    else axes.push([size, ...varies]);
  });
  return { count, axes };
}
