/** Models that embed, search, indexes, metrics. @module sketchgrad/retrieval */

export { modelEmbeddings, openRetrievalModel, readModelDescription, type ImageRows, type NetworkInput, type RetrievalModel } from '../training/model.ts';
export { evaluateNetwork, taskOf, unseenTask, validationTask, type Evaluation, type EvaluationOptions, type RetrievalTask } from '../training/evaluation.ts';
export { evaluateCodes, evaluateRetrieval, evaluateRetrievalOnDevice, rankCodes, rankGallery, type CodeRetrievalOptions, type RetrievalOptions } from '../retrieval/evaluate.ts';
export type { Embeddings } from '../retrieval/cosine.ts';
export type { DeviceCosineOptions } from '../retrieval/device-cosine.ts';
export type { RankedItem } from '../retrieval/ranking.ts';
export { codeWords, encode, fitBinaryCoder, type BinaryCoder, type FitOptions, type FittedCoder } from '../retrieval/binary-codes.ts';
export { averagePrecision, describeProtocol, RetrievalMeter, type ApDenominator, type ApEnvelope, type ClassMetrics, type Labels, type MeanMetrics, type Protocol, type RetrievalMetrics } from '../retrieval/metrics.ts';
export { RetrievalError } from '../retrieval/vectors.ts';
export { assertSameModel, IndexFileError, IndexModelMismatchError, openIndex, serializeIndex, type IndexedCodes, type RetrievalIndex } from '../retrieval/index-file.ts';
export { CheckpointError, parseModel, type ModelFile } from '../training/checkpoint.ts';
