import { root } from './liveness.ts';
import { describe, IndexError, type GraphNode } from './tensor.ts';
import type { IndexCheck } from './plan-types.ts';

/**
 * The driver's own bounds checks are off where that makes kernels faster, and a clamped index would be a silent mistake
 * anyway, so that a program checks the indices that its ops declare: constants when it is compiled, inputs when they
 * are fed, and what the graph computes when it is read back with the results. In any case an IndexError names op, row
 * and value.
 */

/** What there is to check of these nodes, each tensor once against each bound. */
export function indexChecks(nodes: Iterable<GraphNode>): readonly IndexCheck[] {
  const checks = new Map<string, IndexCheck>();
  for (const node of nodes) {
    for (const { indices, end } of node.op.indices?.(node) ?? []) {
      const source = root(indices);
      const key = `${source.id} ${end}`;
      if (!checks.has(key)) checks.set(key, { op: node.op.name, indices: source, end });
    }
  }
  return [...checks.values()];
}

/** @param values the words of the tensor @throws IndexError where one of them is out of range */
export function checkIndices(
  { op, indices, end }: IndexCheck,
  { buffer, byteOffset, byteLength }: ArrayBufferView,
): void {
  // Bytes need not begin at a word.
  const words =
    byteOffset % 4 === 0
      ? new Uint32Array(buffer, byteOffset, byteLength / 4)
      : new Uint32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  const row = words.findIndex((value) => value >= end);
  if (row >= 0)
    throw new IndexError(
      `${op}: row ${row} of ${describe(indices)} is ${words[row]}; an index from 0 to ${end - 1} was expected`,
    );
}
