import { type GraphNode, type Tensor } from './tensor.ts';

/** All nodes that the tensors depend on, each after those it depends on itself. */
export function nodesBefore(tensors: readonly Tensor[]): GraphNode[] {
  const found = new Map<GraphNode, number>();
  const pending = [...tensors];
  for (let tensor = pending.pop(); tensor !== undefined; tensor = pending.pop()) {
    if (tensor.origin.kind !== 'node' || found.has(tensor.origin.node)) continue;
    const { node } = tensor.origin;
    found.set(node, node.op.eager === true ? Math.max(...node.inputs.map(({ id }) => id)) + 0.5 : node.outputs[0].id);
    pending.push(...node.inputs);
  }
  return [...found].sort(([, a], [, b]) => a - b).map(([node]) => node);
}
