/** Training, from a whole run down to its parts. @module sketchgrad/training */

export {
  PAPER_RECIPE,
  stepsPerEpoch,
  trainRetrieval,
  type Checkpoint,
  type LogEntry,
  type RetrievalTraining,
  type RunTimes,
  type TeacherSettings,
  type TrainedRetrieval,
  type TrainRetrievalOptions,
} from '../training/run.ts';
export {
  CheckpointError,
  modelChecksum,
  parseModel,
  serializeModel,
  type Json,
  type ModelFile,
} from '../training/checkpoint.ts';
export { parseWeights, type StartingWeights, type WeightsOptions } from '../training/weights.ts';
export { imageInput, type BatchShape, type Precision } from '../training/batch-input.ts';
export {
  classificationObjective,
  retrievalObjective,
  type EncodedObjective,
  type Objective,
  type RetrievalLosses,
  type TeacherSignal,
} from '../training/objectives.ts';
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
