import { root } from './liveness.ts';
import type { IndexUse } from './op.ts';
import { describe, IndexError, type Node } from './tensor.ts';

/**
 * The driver's own bounds checks are off where that makes kernels faster, and a clamped index would be a silent mistake anyway, so
 * that a program checks the indices that its ops declare: constants when it is compiled, inputs when they are fed, and what the
 * graph computes on the device, along with the run (ops/index-report.ts). In any case an IndexError names op, row and value.
 */

/** Where the values of the indices come from, and the op that takes them. */
export interface IndexCheck extends IndexUse {
  readonly op: string;
}

/** What there is to check of these nodes, each tensor once against each bound. */
export function indexChecks(nodes: Iterable<Node>): readonly IndexCheck[] {
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

/** @throws IndexError where one of the values is out of range */
export function checkIndices(check: IndexCheck, values: ArrayBufferView): void {
  const { buffer, byteOffset, byteLength } = values;
  // Bytes need not begin at a word.
  const words = byteOffset % 4 === 0 ? new Uint32Array(buffer, byteOffset, byteLength / 4) : new Uint32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  const row = words.findIndex((value) => value >= check.end);
  if (row >= 0) throw indexError(check, row, words[row]);
}

function indexError({ op, indices, end }: IndexCheck, row: number, value: number): IndexError {
  return new IndexError(`${op}: row ${row} of ${describe(indices)} is ${value}${value > 0x7fffffff ? ` (${value - 2 ** 32} as a signed integer)` : ''}; an index below ${end} was expected`);
}

/** @throws IndexError where a run's report says so */
export function heedReport(check: IndexCheck, report: Uint32Array): void {
  const [count, row, value] = report;
  if (count > 0) throw indexError(check, row, value);
}
