// A process of its own: compiles the pipeline that it reads from standard input, while Dawn prints what it generates.
import { text } from 'node:stream/consumers';
import { openDevice, releaseGpu } from '../../platform/adapter.ts';
import type { GeneratedPipeline } from './generated-code.ts';

const pipeline = JSON.parse(await text(process.stdin)) as GeneratedPipeline & { readonly unsafe: boolean };
const device = await openDevice('auto', {
  unsafe: pipeline.unsafe,
  dawnFeatures: ['dump_shaders', 'disable_symbol_renaming'],
});
const { gpu } = device;
const module = gpu.createShaderModule({ label: pipeline.file, code: pipeline.code });
const ids = new Map(
  [...pipeline.code.matchAll(/@id\s*\(\s*(\d+)\s*\)\s*override\s+(\w+)/g)].map(([, id, name]) => [name, id]),
);
await device.awaited(() =>
  gpu.createComputePipelineAsync({
    label: pipeline.label,
    layout: 'auto',
    compute: {
      module,
      entryPoint: pipeline.entryPoint,
      constants: Object.fromEntries(
        Object.entries(pipeline.overrides).map(([name, value]) => [ids.get(name) ?? name, Number(value)]),
      ),
    },
  }),
);
device.dispose();
releaseGpu();
