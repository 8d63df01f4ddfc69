/**
 * What all workers share: the command line, WebGPU in Node, and the conversation with the driver (run.mjs).
 *
 * A worker prints one JSON line when it is ready, then does one unit of work for each line "go" on its standard input
 * and prints one JSON line with the seconds that it took.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { create, globals } from 'webgpu';

/**
 * @param {string[]} able the kinds of work that this engine can do
 * @returns {{ work: 'train' | 'infer', batch: number, size: number }}
 */
export function readOptions(able = ['train', 'infer']) {
  const { values } = parseArgs({
    options: { work: { type: 'string' }, batch: { type: 'string' }, size: { type: 'string' } },
  });
  const batch = Number(values.batch);
  const size = Number(values.size);
  if (!able.includes(values.work)) throw new Error(`--work must be ${able.join(' or ')}`);
  if (!Number.isInteger(batch) || batch < 1) throw new Error('--batch must be a positive integer');
  if (!Number.isInteger(size) || size < 32) throw new Error('--size must be an integer, 32 or more');
  return { work: values.work, batch, size };
}

/**
 * Gives this process the navigator.gpu of a browser.
 *
 * @param {string[]} flags of Dawn, such as disable-dawn-features=...
 * @returns {Promise<string>} the adapter's name
 * @throws if there is no Vulkan, Metal or Direct3D adapter
 */
export async function installWebGPU(flags = []) {
  Object.assign(globalThis, globals);
  // Held by navigator for the life of the process: once it is collected, Dawn's threads abort the process.
  const gpu = create(flags);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu, userAgent: `Node.js/${process.version}`, hardwareConcurrency: 1 },
    configurable: true,
  });
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  const name = adapter?.info.description || adapter?.info.device;
  if (!adapter || /null/i.test(`${name} ${adapter.info.vendor}`)) {
    throw new Error('No WebGPU adapter: install a GPU driver or lavapipe (Debian: mesa-vulkan-drivers).');
  }
  return name;
}

/**
 * Warms the engine up, reports, then measures on demand until standard input ends.
 *
 * @param {string} adapter its name
 * @param {() => Promise<{ loss?: number, logits?: ArrayLike<number> }>} unit one training step or one inference that
 *   resolves only when its result has been read back
 */
export async function serve(adapter, unit) {
  const wait =
    process.env.PEERS_NAP === undefined
      ? (work) => work
      : (await import('../../src/platform/node/napping.ts')).napUntil;
  const measure = async () => {
    const start = performance.now();
    const result = await wait(unit());
    return { seconds: (performance.now() - start) / 1000, result };
  };
  const report = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

  const first = await measure();
  const { loss, logits } = first.result;
  report({
    ready: true,
    first: first.seconds,
    adapter,
    answer: loss === undefined ? { logits: Array.from(logits) } : { loss },
  });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== 'go') continue;
    const { seconds, result } = await measure();
    report({ seconds, loss: result.loss });
  }
  // Dawn keeps the event loop alive as long as navigator.gpu is referenced.
  process.exit(0);
}
