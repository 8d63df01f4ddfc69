/** Models that embed, search, indexes, metrics. `sketchgrad/retrieval` in the package. */

export { modelEmbeddings, openRetrievalModel, readModelDescription, type ImageRows, type NetworkInput, type RetrievalModel } from '../training/model.ts';
export { evaluateNetwork, taskOf, unseenTask, validationTask, type Evaluation, type EvaluationOptions, type RetrievalTask } from '../training/evaluation.ts';
export { evaluateCodes, evaluateRetrieval, evaluateRetrievalOnDevice, rankCodes, rankGallery, type RetrievalOptions } from '../retrieval/evaluate.ts';
export { codeWords, encode, fitBinaryCoder, type BinaryCoder } from '../retrieval/binary-codes.ts';
export { averagePrecision, describeProtocol, RetrievalMeter, type ApDenominator, type ApEnvelope, type Labels, type Protocol, type RetrievalMetrics } from '../retrieval/metrics.ts';
export { RetrievalError } from '../retrieval/vectors.ts';
export { assertSameModel, IndexFileError, IndexModelMismatchError, openIndex, serializeIndex, type RetrievalIndex } from '../retrieval/index-file.ts';
export { CheckpointError, parseModel, type ModelFile } from '../training/checkpoint.ts';
