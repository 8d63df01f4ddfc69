// npm run bench -- [kernel name ...] [--adapter auto|gpu|lavapipe|swiftshader] [--json]
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ADAPTER_CHOICES, ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/node/adapter.ts';
import { timeKernel, type KernelBench, type Timing } from './support/kernel-bench.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { adapter: { type: 'string', default: 'auto' }, json: { type: 'boolean', default: false } },
});
if (!ADAPTER_CHOICES.includes(values.adapter as AdapterChoice)) {
  throw new RangeError(`--adapter ${values.adapter}: choose one of ${ADAPTER_CHOICES.join(', ')}`);
}
await ensureAdapter(values.adapter as AdapterChoice);
const device = await openDevice();

const folder = new URL('./kernels/', import.meta.url);
const names = readdirSync(folder).map((file) => file.replace('.bench.ts', '')).sort();
for (const name of positionals) {
  if (!names.includes(name)) throw new RangeError(`no bench is called ${name}; there are ${names.join(', ')}`);
}
const timings: Timing[] = [];
for (const name of positionals.length > 0 ? positionals : names) {
  const { default: bench } = (await import(new URL(`${name}.bench.ts`, folder).href)) as { default: KernelBench<unknown> };
  timings.push(...(await timeKernel(device, bench)));
}
if (values.json) {
  console.log(JSON.stringify({ adapter: device.description, date: new Date().toISOString(), timings }, null, 2));
} else {
  console.log(`${device.description.device} ${device.description.description}`);
  console.table(
    timings.map(({ median, deviation, gigaflops, gigabytes, ...names }) => ({
      ...names,
      'ms (median)': median.toFixed(3),
      '+-': deviation.toFixed(3),
      'GFLOP/s': gigaflops.toFixed(2),
      'GB/s': gigabytes.toFixed(2),
    })),
  );
}
device.destroy();
releaseGpu();
