/**
 * Search over HTTP, on node:http. `sketchgrad/server` in the package; examples/server.ts shows its use. @module
 * sketchgrad/server
 */
export { checkOrigin, isLoopbackAddress, requireLoopbackHost, type AllowedOrigins } from './access.ts';
export { pictureKind, readPictureBody, readPictures, RequestError, type PictureLimits } from './picture-body.ts';
export {
  DEFAULT_SEARCH_LIMITS,
  searchHandler,
  type Handler,
  type Searcher,
  type SearchLimits,
} from './search-handler.ts';
export { SearchService, type Neighbour, type SearchAnswer, type SearchServiceOptions } from './search-service.ts';
export { PictureRows, type AddedPicture } from './picture-rows.ts';
export { openMetrics, type ServerMetrics } from './metrics.ts';
export { IconSources } from './icon-sources.ts';
export { IconSearchService, type FoundIcon, type IconSearchAnswer } from './icon-search-service.ts';
export type { EmbeddedPicture, SearchTimes } from './query-embedder.ts';
