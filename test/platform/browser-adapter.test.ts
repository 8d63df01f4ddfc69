// How a browser's device is opened, with a browser that answers as Chromium does around the end of its GPU process.
// test/web/training.test.ts ends that process itself.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AdapterError } from '../../src/gpu/errors.ts';
import { openDevice } from '../../src/platform/browser/adapter.ts';

const gpuDevice = {
  features: new Set(),
  limits: {},
  addEventListener: () => undefined,
  lost: new Promise(() => undefined),
} as unknown as GPUDevice;

/** An adapter that opens a device, or that was given out by a process which is no more. */
const adapter = (outcome: GPUDevice | Error): GPUAdapter =>
  ({
    info: { vendor: '', architecture: '', device: 'a GPU', description: '' },
    limits: {},
    features: new Set(),
    requestDevice: () => (outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome)),
  }) as unknown as GPUAdapter;

/** Opens a device where the browser gives these adapters, one after the other. */
async function openedWith(
  answers: readonly (GPUAdapter | null)[],
): Promise<{ readonly outcome: PromiseSettledResult<{ readonly gpu: GPUDevice }>; readonly asked: number }> {
  let asked = 0;
  const replaced = ['navigator', 'isSecureContext'].map(
    (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
  );
  Object.defineProperty(globalThis, 'isSecureContext', { configurable: true, value: true });
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { gpu: { requestAdapter: () => Promise.resolve(answers[asked++]) } },
  });
  try {
    const [outcome] = await Promise.allSettled([openDevice()]);
    return { outcome, asked };
  } finally {
    for (const [name, before] of replaced) {
      if (before === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, before);
    }
  }
}

const GONE = new Error(
  "Failed to execute 'requestDevice' on 'GPUAdapter': A valid external Instance reference no longer exists.",
);

test('an adapter that is there is asked for once; one that is not, or is no more, a second time', async () => {
  for (const [answers, expected] of [
    [[adapter(gpuDevice)], 1],
    [[null, adapter(gpuDevice)], 2],
    [[adapter(GONE), adapter(gpuDevice)], 2],
  ] as const) {
    const { outcome, asked } = await openedWith(answers);
    assert.is(outcome.status === 'fulfilled' && outcome.value.gpu, gpuDevice);
    assert.is(asked, expected);
  }
});

test('after the second time it is an error: that there is no adapter, or why it opens no device', async () => {
  const [none, gone] = [await openedWith([null, null]), await openedWith([null, adapter(GONE)])];
  assert.is(none.asked, 2);
  assert.ok(none.outcome.status === 'rejected' && none.outcome.reason instanceof AdapterError);
  assert.match(String(none.outcome.reason), /offers no adapter.*started again/);
  assert.ok(gone.outcome.status === 'rejected');
  assert.is(gone.outcome.reason, GONE);
});

test.run();
