import { optimizerSettings, type OptimizerSettings } from '../nn/optimizers/index.ts';
import type { ParameterGroup } from '../nn/optimizers/optimizer.ts';
import type { RetrievalNetwork } from '../nn/retrieval-network.ts';
import type { RetrievalTraining } from './recipe.ts';

/** The optimizer with its groups of parameters. */
export function optimizerOf(
  { frozenStages, optimizer: { kind, weightDecay, decayed, trunkRate, momentum } }: RetrievalTraining,
  { layouts, backbone }: RetrievalNetwork,
): OptimizerSettings {
  const settings = optimizerSettings(kind, weightDecay, { momentum });
  const isTrunk = (name: string): boolean => backbone.stageOf(name) !== undefined;
  const isWeight = (name: string): boolean => (layouts.get(name)?.fileShape.length ?? 0) > 1;
  const groups = [isTrunk, () => true].flatMap((ofPart, part): ParameterGroup[] => {
    const learningRate = part === 0 ? trunkRate : 1;
    const undecayed = { matches: (name: string) => ofPart(name) && !isWeight(name), learningRate, weightDecay: 0 };
    return [...(decayed === 'weights' ? [undecayed] : []), { matches: ofPart, learningRate, weightDecay }];
  });
  const isFrozen = (name: string): boolean => (backbone.stageOf(name) ?? Infinity) <= frozenStages;
  const frozen = { matches: isFrozen, learningRate: 0, weightDecay: 0 };
  return { ...settings, groups: frozenStages > 0 ? [frozen, ...groups] : groups };
}
