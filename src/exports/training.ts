/** Training, from a whole run down to its parts. `sketchgrad/training` in the package. */

export { PAPER_RECIPE, stepsPerEpoch, trainRetrieval, type LogEntry, type RetrievalTraining, type TrainedRetrieval, type TrainRetrievalOptions } from '../training/run.ts';
export { CheckpointError, modelChecksum, parseModel, serializeModel, type ModelFile } from '../training/checkpoint.ts';
export { parseWeights, type StartingWeights } from '../training/weights.ts';
export { classificationObjective, imageInput, retrievalObjective, type Objective, type RetrievalLosses } from '../training/objectives.ts';
export { classKnowledge, retrievalStateFrom } from '../training/knowledge.ts';
export { learningRateAt, type Schedule } from '../training/schedule.ts';
export { NonFiniteError, Trainer, type StepReport, type TrainerOptions } from '../training/trainer.ts';
