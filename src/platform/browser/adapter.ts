/** The adapter in a browser: the page's, or a worker's, own WebGPU. */
import { Device } from '../../gpu/device.ts';
import { AdapterError } from '../../gpu/errors.ts';

/** Milliseconds until an adapter is requested once more. */
const AGAIN_AFTER = 250;

/**
 * Opens the browser's adapter; `device.gpu` is the GPUDevice. A page that has one already wraps it: `new
 * Device(gpuDevice)`.
 * @throws AdapterError with what the visitor can do
 */
export async function openDevice(): Promise<Device> {
  if (!globalThis.isSecureContext)
    throw new AdapterError('WebGPU is there for secure pages only: serve this page by https or from localhost');
  if (navigator.gpu === undefined) {
    throw new AdapterError(
      'this browser has no WebGPU. Chrome and Edge have it from version 113, Safari from 26, Firefox from 141 on Windows and 145 on Macs with Apple silicon; elsewhere it may have to be switched on in the settings',
    );
  }
  // When Chromium's GPU process ends, requests under way give null, and adapters given before open no device; while it
  // starts, requests may give null as well. A request made after that waits for the process, so that one more is
  // enough.
  const device = (await firstDevice().catch(() => undefined)) ?? (await later(AGAIN_AFTER).then(firstDevice));
  if (device === undefined) {
    throw new AdapterError(
      'the browser has WebGPU, but offers no adapter: the graphics driver may be blocked or too old (chrome://gpu, about:support tell), hardware acceleration is switched off, or it crashed too often, and the browser has to be started again',
    );
  }
  return device;
}

async function firstDevice(): Promise<Device | undefined> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  return adapter === null ? undefined : Device.open(adapter);
}

const later = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
