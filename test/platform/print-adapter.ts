// Run by adapter.test.ts: takes an adapter as the command line tools do, and says which it got and in which run of itself.
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../../src/platform/adapter.ts';

const first = process.env.SKETCHGRAD_ADAPTER_READY === undefined;
await ensureAdapter(process.argv[2] as AdapterChoice);
const device = await openDevice();
console.log(Object.values(device.description).join(' '));
console.log(`runs: ${first ? 1 : 2}`);
device.dispose();
releaseGpu();
