/**
 * sketchgrad as a library. Everything here is plain web-standard TypeScript: it takes a GPUDevice and ArrayBuffers, and
 * runs in Node, in Deno and in browsers. `src/platform` and `datasets` open devices and read files.
 */
export * from './exports/engine.ts';
export * from './exports/nn.ts';
export * from './exports/data.ts';
export * from './exports/training.ts';
export * from './exports/retrieval.ts';
export * from './exports/benchmark.ts';
