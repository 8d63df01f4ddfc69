/** The platform backend for Deno: its own WebGPU, pictures by npm's sharp. @module sketchgrad/deno */
export { ensureAdapter, openDevice, releaseGpu } from './adapter.ts';
export { ADAPTER_CHOICES, type AdapterChoice, type DeviceAccess } from '../node/drivers.ts';
export { openExactSearch, type ExactSearchThreadsOptions } from '../node/exact-search.ts';
export { writeFileAtomically } from '../node/files.ts';
export { decodeImage, decodePicture, decodeSketch, ImageError } from '../node/images.ts';
export type { DecodedPicture } from '../../data/resample.ts';
export { readTuningRecords, writeTuningRecords } from '../node/tuning-records.ts';
