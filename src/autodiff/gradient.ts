import { nodesBefore } from './nodes-before.ts';
import { sameShape } from './attributes.ts';
import { gradientRules } from './generated/gradient-rules.ts';
import { cast, COUNTED_ELSEWHERE, type GradientRule } from './op.ts';
import { add } from './ops/pointwise.ts';
import { fill } from './ops/fill.ts';
import { describe, floatType, GradientError, ShapeError, type GraphNode, type Tensor } from './tensor.ts';

/**
 * The graph of d loss / d each of `withRespectTo`, in reverse accumulation: gradients of a tensor with several
 * consumers are added in a fixed order. A gradient is stored as its tensor is. Maps a graph to a graph, so that
 * planning and profiling treat both passes the same way.
 * @param loss a tensor of one element
 * @throws ShapeError where the loss is not a scalar
 * @throws GradientError where the loss does not depend on one of them, or an op on the way has no gradient for the
 * output
 *   that the loss depends on or for the input that leads to one of them
 */
export function gradient(loss: Tensor, withRespectTo: readonly Tensor[]): Tensor[] {
  if (loss.length !== 1) throw new ShapeError(`the gradient is taken of a scalar, not of ${describe(loss)}`);
  return vectorJacobianProduct(loss, fill(loss.shape, 1), withRespectTo);
}

/**
 * The gradient of a loss that depends on `result` in a way which is known elsewhere: the chain rule from there on.
 * @param resultGradient d loss / d result, of its shape
 * @throws GradientError as `gradient` does
 */
export function vectorJacobianProduct(
  result: Tensor,
  resultGradient: Tensor,
  withRespectTo: readonly Tensor[],
): Tensor[] {
  if (!sameShape(resultGradient.shape, result.shape))
    throw new ShapeError(`${describe(resultGradient)} is no gradient of ${describe(result)}`);
  const wanted = new Set(withRespectTo);
  const order = nodesBefore([result]);
  // A tensor matters if something wanted lies behind it. Integers are piecewise constant: their derivative is zero.
  const matters = new Set<Tensor>(wanted);
  for (const node of order) {
    if (node.inputs.some((tensor) => matters.has(tensor)))
      for (const output of node.outputs) if (output.type !== 'u32') matters.add(output);
  }

  const gradients = new Map<Tensor, Tensor>([[result, resultGradient]]);
  for (const node of order.reverse()) {
    if (!node.inputs.some((tensor) => matters.has(tensor))) continue;
    const outputGradients = node.outputs.map((output) => gradients.get(output));
    if (outputGradients.every((tensor) => tensor === undefined)) continue;
    const rule = ruleOf(node, outputGradients);
    const inputGradients = rule(
      node,
      outputGradients,
      node.inputs.map((tensor) => matters.has(tensor)),
    );
    node.inputs.forEach((tensor, index) => {
      const found = inputGradients[index];
      if (!matters.has(tensor) || found === COUNTED_ELSEWHERE) return;
      if (found === undefined)
        throw new GradientError(
          `${node.op.name} has no gradient for its input ${describe(tensor)}, but the loss depends on it`,
        );
      if (!sameShape(found.shape, tensor.shape)) {
        throw new ShapeError(`${node.op.name}: the gradient of ${describe(tensor)} came out as ${describe(found)}`);
      }
      const contribution = cast(found, floatType(tensor));
      const sofar = gradients.get(tensor);
      gradients.set(tensor, sofar === undefined ? contribution : add(sofar, contribution));
    });
  }
  return withRespectTo.map((tensor) => {
    const found = gradients.get(tensor);
    if (found === undefined) throw new GradientError(`the loss does not depend on ${describe(tensor)}`);
    return found;
  });
}

/** @throws GradientError where the op has no rule, or none for an output at which a gradient arrives */
function ruleOf(
  { op: { name, gradient: rule, differentiableOutputs = [0] }, outputs }: GraphNode,
  outputGradients: readonly (Tensor | undefined)[],
): GradientRule<unknown> {
  if (rule === undefined) throw new GradientError(`${name} has no gradient, but the loss depends on it`);
  outputs.forEach((output, index) => {
    if (outputGradients[index] === undefined || differentiableOutputs.includes(index)) return;
    throw new GradientError(`${name} has no gradient for its output ${describe(output)}, but the loss depends on it`);
  });
  if (typeof rule !== 'string') return rule;
  const rules = gradientRules as Readonly<Record<string, unknown>>;
  if (!Object.hasOwn(rules, rule)) throw new GradientError(`no op exports a gradient rule ${rule}`);
  return rules[rule] as GradientRule<unknown>;
}
