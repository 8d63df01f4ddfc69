/** Training, from a whole run down to its parts. @module sketchgrad/training */

export type { LogEntry, RunTimes } from '../training/log.ts';
export { PAPER_RECIPE, stepsPerEpoch, type RetrievalTraining, type TeacherSettings } from '../training/recipe.ts';
export { trainRetrieval } from '../training/run.ts';
export type { Checkpoint, TrainedRetrieval, TrainRetrievalOptions } from '../training/run-options.ts';
export {
  CheckpointError,
  modelChecksum,
  parseModel,
  serializeModel,
  type Json,
  type ModelFile,
} from '../models/model-file.ts';
export { parseWeights, type StartingWeights, type WeightsOptions } from '../training/weights.ts';
export { imageInput, type BatchShape, type Precision } from '../models/image-input.ts';
export { classificationObjective, retrievalObjective } from '../training/objectives.ts';
export { type RetrievalLosses } from '../training/retrieval-loss.ts';
export { type TeacherSignal } from '../training/teacher-targets.ts';
export { type EncodedObjective, type Objective } from '../training/objective.ts';
export { distill, type DistillationOptions } from '../training/distillation.ts';
export { classKnowledge, retrievalStateFrom, type KnowledgeReading } from '../training/knowledge.ts';
export {
  KnowledgeError,
  parseKnowledge,
  parsePartialKnowledge,
  serializeKnowledge,
  serializePartialKnowledge,
  type DistillationSettings,
  type Knowledge,
  type KnowledgeOrigin,
  type PartialKnowledge,
  type TeacherNetwork,
} from '../training/knowledge-file.ts';
export { CollapseWatch, type Collapse, type CollapseWarning } from '../training/collapse.ts';
export { ABLATION, ablatedTraining, summarise, type AblationResult, type Summary } from '../training/ablation.ts';
export {
  measureTeacherCost,
  type TeacherCost,
  type TeacherCostOptions,
  type TeacherCosts,
} from '../training/teacher-cost.ts';
export { learningRateAt, type Schedule } from '../training/schedule.ts';
export { MicroBatchError } from '../training/step-runner.ts';
export { NonFiniteError, Trainer, type StepReport, type TrainerOptions } from '../training/trainer.ts';
