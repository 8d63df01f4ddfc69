/** Models that embed, search, indexes, metrics. `sketchgrad/retrieval` in the package. */

export { modelEmbeddings, openRetrievalModel, readModelDescription, type ImageRows, type NetworkInput, type RetrievalModel } from '../training/model.ts';
export { evaluateNetwork, unseenTask, validationTask, type Evaluation, type RetrievalTask } from '../training/evaluation.ts';
export { evaluateRetrieval, rankGallery, RetrievalError, type RetrievalMetrics } from '../retrieval/metrics.ts';
export { assertSameModel, IndexFileError, IndexModelMismatchError, openIndex, serializeIndex, type RetrievalIndex } from '../retrieval/index-file.ts';
