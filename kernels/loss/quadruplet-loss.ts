import { f32, type Dispatch } from '../contract/dispatch.ts';
import { widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { Kernel, KernelCall, Operand } from '../kernel.ts';
import { ownKindFirst } from '../select.ts';
import { settingsOf, type QuadrupletLossProblem } from './quadruplet-loss-problem.ts';
import { reference } from './quadruplet-loss-reference.ts';
import { sampleInputs } from './quadruplet-loss-samples.ts';

/**
 * What `statistics` holds, in order. Fractions and means are over the valid hinges, and 0 where there are none; of two
 * pairs, the distance to the own domain's negative is that of the pair of two other classes. The domain gap is the
 * distance between the mean embedding of the sketches and that of the photos, the spread the root mean square distance
 * of all embeddings from their mean: at most 1 for embeddings of length 1.
 */
export const QUADRUPLET_STATISTICS = [
  'active fraction',
  'distance to the positive',
  'distance to the negative of the own domain',
  'distance to the negative of the other domain',
  'active fraction of the own domain',
  'active fraction of the other domain',
  'valid hinges',
  'active hinges',
  'domain gap',
  'spread',
] as const;

const FORMS = ['domain-balanced', 'one-hinge', 'two-pairs'] as const;
/** Columns of `records`, see the shader. */
const RECORD_COLUMNS = 12;

/**
 * The domain-balanced quadruplet loss of Tursun et al. (Pattern Recognition 126, 2022), mined in the batch, with its
 * gradient, and two other forms of it: from embeddings [count, width] (normalized already), labels [count] and domains
 * [count] (0 sketch, 1 photo) to loss [1], dembeddings [count, width] and statistics [10]. Random mining reads one more
 * operand, seed [1], which the host changes at every step.
 *
 * In the domain-balanced form every anchor gives up to two hinges [d(a, p) - d(a, n) + margin]+, one for a negative of
 * either domain; the loss is their mean. An anchor without a positive gives none, one without a negative of a domain
 * lacks that hinge.
 */
export const quadrupletLoss: Kernel<QuadrupletLossProblem> = {
  name: 'quadruplet_loss',
  calls: (problem, traits) => {
    const { count, width, mining = 'hardest' } = problem;
    const { form, margin, secondMargin, share } = settingsOf(problem);
    const hinges = [f32(margin), f32(secondMargin), f32(share)];
    const random = mining === 'random';
    const operands: Record<string, Operand> = {
      embeddings: { role: 'input', type: 'f32', length: count * width },
      labels: { role: 'input', type: 'u32', length: count },
      domains: { role: 'input', type: 'u32', length: count },
      ...(random ? { seed: { role: 'input', type: 'u32', length: 1 } } : {}),
      loss: { role: 'output', type: 'f32', length: 1 },
      dembeddings: { role: 'output', type: 'f32', length: count * width },
      statistics: { role: 'output', type: 'f32', length: QUADRUPLET_STATISTICS.length },
      squaredDistances: { role: 'scratch', type: 'f32', length: count * count },
      chosen: { role: 'scratch', type: 'u32', length: 4 * count },
      pulls: { role: 'scratch', type: 'f32', length: 4 * count },
      records: { role: 'scratch', type: 'f32', length: RECORD_COLUMNS * count },
      scale: { role: 'scratch', type: 'f32', length: 1 },
      partners: { role: 'scratch', type: 'u32', length: count * count },
      partnerWeights: { role: 'scratch', type: 'f32', length: count * count },
      partnerCount: { role: 'scratch', type: 'u32', length: count },
    };
    const { Element, elements } = widestElement(width);
    const rows = traits.kind === 'cpu' ? 1 : 8;
    const workgroupSize = traits.kind === 'cpu' ? 8 : 32;
    // Slices are rows of the matrix of distances. Whatever is read of all items (embeddings, chosen, labels) they bind
    // whole.
    const distances = (entryPoint: string, components: number, side: number): Dispatch => {
      const rowsEach = rows * side;
      return sliceable(ceilDivide(count, rowsEach), { squaredDistances: rowsEach * count }, (groups, first) => ({
        shader: shaders.quadrupletLossDistances,
        entryPoint,
        constants: { WORKGROUP_ROWS: rows },
        parameters: [
          count,
          width / components,
          Math.min(groups * rowsEach, count - first * rowsEach),
          first * rowsEach,
        ],
        operands: ['embeddings', 'squaredDistances'],
        workgroups: [ceilDivide(count, 8 * side), groups, 1],
      }));
    };
    const mine = (anchors: number, firstAnchor: number): Dispatch => ({
      shader: shaders.quadrupletLossMining,
      entryPoint: { hardest: 'mineHardest', 'semi-hard': 'mineSemiHard', random: 'mineRandom' }[mining],
      constants: { FORM: FORMS.indexOf(form), WORKGROUP_SIZE: workgroupSize, BY_ROWS: anchors < count },
      parameters: [count, ...hinges, anchors, firstAnchor],
      operands: ['squaredDistances', 'labels', 'domains', 'chosen', 'pulls', 'records', ...(random ? ['seed'] : [])],
      workgroups: foldGrid(ceilDivide(anchors, workgroupSize)),
    });
    const isPaired = form === 'two-pairs';
    const gradientConstants = (items: number) => ({
      Element,
      TWO_PAIRS: isPaired,
      WORKGROUP_SIZE: workgroupSize,
      BY_ROWS: items < count,
    });
    const afterDistances: Dispatch[] = [
      // With two pairs, an anchor reads the distances of its choice, too.
      isPaired ? mine(count, 0) : sliceable(count, { squaredDistances: count }, mine),
      {
        shader: shaders.quadrupletLossMining,
        entryPoint: 'summarise',
        constants: { FORM: FORMS.indexOf(form), WORKGROUP_SIZE: workgroupSize, BY_ROWS: false },
        parameters: [count, ...hinges, count, 0],
        operands: ['records', 'loss', 'statistics', 'scale'],
        workgroups: [1, 1, 1],
      },
      sliceable(
        count,
        { partners: count, partnerWeights: count, partnerCount: 1, squaredDistances: count },
        (items, firstItem) => ({
          shader: shaders.quadrupletLossGradient,
          entryPoint: 'gatherPartners',
          constants: gradientConstants(items),
          parameters: [count, elements, items, firstItem],
          operands: ['partners', 'partnerWeights', 'partnerCount', 'chosen', 'pulls', 'squaredDistances', 'scale'],
          workgroups: foldGrid(ceilDivide(items, workgroupSize)),
        }),
      ),
      sliceable(
        count,
        { partners: count, partnerWeights: count, partnerCount: 1, dembeddings: width },
        (items, firstItem) => ({
          shader: shaders.quadrupletLossGradient,
          entryPoint: 'gradient',
          constants: gradientConstants(items),
          parameters: [count, elements, items, firstItem],
          operands: ['partners', 'partnerWeights', 'partnerCount', 'embeddings', 'dembeddings'],
          workgroups: foldGrid(ceilDivide(items * elements, workgroupSize)),
        }),
      ),
    ];
    const tiles: KernelCall = {
      variant: 'tile per invocation',
      operands,
      dispatches: [distances('tilePerInvocation', 1, 4), ...afterDistances],
    };
    if (Element === 'f32') return [tiles];
    const pairs: KernelCall = {
      variant: 'pair per invocation',
      operands,
      dispatches: [distances('pairPerInvocation', 4, 1), ...afterDistances],
    };
    return ownKindFirst(traits, { gpu: [pairs], cpu: [tiles] });
  },
  reference,
  cost: ({ count, width }) => ({
    flop: 3 * count * count * width + 20 * count * width,
    bytes: 8 * count * width + 4 * count * count,
  }),
  cases: [
    { count: 1, width: 4 },
    { count: 2, width: 3 },
    { count: 13, width: 5, mining: 'semi-hard' },
    { count: 13, width: 8, mining: 'random', margin: 0.5 },
    { count: 48, width: 512 },
    { count: 50, width: 63, mining: 'semi-hard' },
    { count: 64, width: 128, mining: 'random' },
    { count: 203, width: 64 },
    { count: 3, width: 5, form: 'one-hinge' },
    { count: 47, width: 96, form: 'one-hinge', share: 0.25, mining: 'semi-hard' },
    { count: 29, width: 16, form: 'one-hinge', share: 1, mining: 'random' },
    { count: 5, width: 7, form: 'two-pairs' },
    { count: 48, width: 64, form: 'two-pairs', margin: 0.5 },
    { count: 31, width: 33, form: 'two-pairs', secondMargin: 0.3, mining: 'semi-hard' },
    { count: 37, width: 12, form: 'two-pairs', mining: 'random' },
  ],
  sampleInputs,
};
