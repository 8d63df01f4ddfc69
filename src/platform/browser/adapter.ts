/** The adapter in a browser: the page's, or a worker's, own WebGPU. */
import { Device } from '../../gpu/device.ts';
import { AdapterError } from '../../gpu/errors.ts';

/**
 * Opens the browser's adapter; `device.gpu` is the GPUDevice. A page that has one already wraps it: `new Device(gpuDevice)`.
 * @throws AdapterError with what the visitor can do
 */
export async function openDevice(): Promise<Device> {
  if (!globalThis.isSecureContext) throw new AdapterError('WebGPU is there for secure pages only: serve this page by https or from localhost');
  if (navigator.gpu === undefined) {
    throw new AdapterError('this browser has no WebGPU. Chrome and Edge have it from version 113, Safari from 26, Firefox from 141 on Windows and 145 on Macs with Apple silicon; elsewhere it may have to be switched on in the settings');
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new AdapterError('the browser has WebGPU, but offers no adapter: the graphics driver may be blocked or too old (chrome://gpu, about:support tell), or hardware acceleration is switched off');
  return Device.open(adapter);
}
