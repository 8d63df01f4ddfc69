import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';

export interface ContrastiveTargetsProblem {
  /** Items in the batch. */
  readonly count: number;
  /** Which other items of an item's class are its positives. */
  readonly positives: 'other-domain' | 'any';
}

const LABELS = 5;

/**
 * targets [count, count]: for each item the distribution over the others that is uniform on its positives, from labels
 * [count] and domains [count]; zeros in the row of an item without any. The targets of the supervised contrastive loss
 * of Khosla et al. (NeurIPS 2020).
 */
export const contrastiveTargets: Kernel<ContrastiveTargetsProblem> = {
  name: 'contrastive_targets',
  calls: ({ count, positives }, traits) => {
    const workgroupSize = traits.kind === 'cpu' ? 8 : 32;
    return [
      {
        variant: 'row per invocation',
        operands: {
          labels: { role: 'input', type: 'u32', length: count },
          domains: { role: 'input', type: 'u32', length: count },
          targets: { role: 'output', type: 'f32', length: count * count },
        },
        dispatches: [
          // Labels and domains are bound whole: every row compares its item with all others.
          sliceable(count, { targets: count }, (rows, firstRow) => ({
            shader: shaders.contrastiveTargets,
            constants: { OTHER_DOMAIN: positives === 'other-domain', WORKGROUP_SIZE: workgroupSize },
            parameters: [count, rows, firstRow],
            operands: ['labels', 'domains', 'targets'],
            workgroups: foldGrid(ceilDivide(rows, workgroupSize)),
          })),
        ],
      },
    ];
  },
  reference: ({ count, positives }, { labels, domains }) => {
    const value = new Float64Array(count * count);
    for (let i = 0; i < count; i++) {
      const others = [...labels.keys()].filter(
        (j) => j !== i && labels[j] === labels[i] && (positives === 'any' || domains[j] !== domains[i]),
      );
      for (const j of others) value[i * count + j] = 1 / others.length;
    }
    // WGSL's division: 2.5 units in the last place, of 2 EPSILON each.
    return { targets: { value, error: value.map((share) => (share === 1 ? 0 : 5 * EPSILON * share)) } };
  },
  cost: ({ count }) => ({ flop: 4 * count * count, bytes: 4 * count * count + 8 * count }),
  cases: [
    { count: 1, positives: 'any' },
    { count: 13, positives: 'any' },
    { count: 48, positives: 'other-domain' },
    { count: 203, positives: 'other-domain' },
  ],
  sampleInputs: ({ count }, uniform): Values => ({
    labels: Float64Array.from({ length: count }, () => Math.floor(((uniform() + 1) / 2) * LABELS)),
    domains: Float64Array.from({ length: count }, () => Number(uniform() < 0)),
  }),
};
