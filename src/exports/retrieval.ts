/** Models that embed, search, indexes, metrics. @module sketchgrad/retrieval */

export { modelEmbeddings, type ImageRows } from '../models/image-rows.ts';
export {
  openRetrievalModel,
  readModelDescription,
  similarityCutOff,
  type NetworkInput,
  type RetrievalModel,
  type Views,
} from '../models/retrieval-model.ts';
export {
  evaluateNetwork,
  taskOf,
  unseenTask,
  validationTask,
  type Evaluation,
  type EvaluationOptions,
  type RetrievalTask,
} from '../models/evaluation.ts';
export {
  evaluateCodes,
  evaluateRetrieval,
  evaluateRetrievalOnDevice,
  rankCodes,
  rankGallery,
  type CodeRetrievalOptions,
  type RetrievalOptions,
} from '../retrieval/evaluate.ts';
export type { Embeddings } from '../retrieval/cosine.ts';
export type { DeviceCosineOptions } from '../retrieval/device-cosine.ts';
export { DUPLICATE_SIMILARITY, duplicateGroups, type DuplicateSearch } from '../retrieval/duplicates.ts';
export { rerank } from '../retrieval/rerank.ts';
export { DeviceGallery, type DeviceGalleryOptions, type NearestItems } from '../retrieval/device-gallery.ts';
export { evaluateTop, evaluateTopOnDevice, type FirstRanks, type TopMetrics } from '../retrieval/top-metrics.ts';
export { DividedSearch, type PartSearcher } from '../retrieval/exact/divided-search.ts';
export {
  storeVectors,
  VECTOR_STORAGES,
  type StoredValues,
  type VectorStorage,
} from '../retrieval/exact/stored-vectors.ts';
export { ExactSearch, type ExactSearchOptions, type RowFilter } from '../retrieval/exact/exact-search.ts';
export {
  parsePictureFilter,
  pictureMask,
  type FilteredPictures,
  type PictureFilter,
  type PictureFilterWords,
} from '../retrieval/picture-filter.ts';
export { BestItems, type RankedItem, type RowMask } from '../retrieval/ranking.ts';
export { fitToInk, INK_MARGIN } from '../data/fit-to-ink.ts';
export { fitSketch, sketchSquare, type SketchFraming } from '../data/sketch-framing.ts';
export { meanEmbedding, MOST_SKETCHES } from '../retrieval/mean-embedding.ts';
export { markBelow, type MarkedResults } from '../retrieval/cut-off.ts';
export {
  iconEmbedding,
  iconId,
  iconRow,
  openIconIndex,
  serializeIconIndex,
  setOfRow,
  type IconIndex,
  type IconLicence,
  type IconSources,
  type IndexedIconSet,
} from '../retrieval/icon-index.ts';
export { checkFilter, IconRanking, licenceName, type IconFilter, type RankedIcons } from '../retrieval/icon-ranking.ts';
export {
  ICON_STYLES,
  iconStyle,
  INK_SIDE,
  SOLID_INK,
  thickInk,
  type IconStyle,
  type SetStyles,
} from '../retrieval/icon-style.ts';
export { Int8Cosine, toInt8Vectors } from '../retrieval/int8-vectors.ts';
export {
  codeWords,
  encode,
  fitBinaryCoder,
  type BinaryCoder,
  type FitOptions,
  type FittedCoder,
} from '../retrieval/binary-codes.ts';
export {
  averagePrecision,
  describeProtocol,
  RetrievalMeter,
  type ApDenominator,
  type ApEnvelope,
  type ClassMetrics,
  type Labels,
  type MeanMetrics,
  type Protocol,
  type RetrievalMetrics,
} from '../retrieval/metrics.ts';
export { WHITENING, whitenEmbedding, type EmbeddingLayer, type WhiteningSettings } from '../retrieval/whitening.ts';
export { RetrievalError } from '../retrieval/vectors.ts';
export {
  assertSameModel,
  IndexFileError,
  IndexModelMismatchError,
  openIndex,
  serializeIndex,
  type IndexedCodes,
  type RetrievalIndex,
  type PictureStamps,
} from '../retrieval/index-file.ts';
export { CheckpointError, parseModel, type ModelFile } from '../models/model-file.ts';
