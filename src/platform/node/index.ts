/** The platform backend for Node: Dawn from npm `webgpu`, pictures by sharp. @module sketchgrad/node */
export { adapterEnvironment, ensureAdapter, openDevice, releaseGpu } from './adapter.ts';
export { ADAPTER_CHOICES, type AdapterChoice, type DeviceAccess } from './drivers.ts';
export { openExactSearch, type ExactSearchThreadsOptions } from './exact-search.ts';
export { writeFileAtomically } from './files.ts';
export { decodeImage, decodePicture, decodeSketch, ImageError } from './images.ts';
export type { DecodedPicture } from '../../data/resample.ts';
export { readTuningRecords, writeTuningRecords } from './tuning-records.ts';
