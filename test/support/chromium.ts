// The browser of the tests: Chromium out of npm's @sparticuz/chromium, with WebGPU on SwiftShader.
import { chromium, type Browser, type BrowserContext } from 'playwright-core';
import { chromiumLaunch, type ChromiumLaunch } from '../../src/platform/node/chromium.ts';

export interface ChromiumOptions {
  /** `false` starts a browser that has no adapter. */
  readonly webgpu?: boolean;
  /** With its own way of compiling, slower here, for measurements. */
  readonly asShipped?: boolean;
}

/**
 * Starts a browser without a window.
 * @throws where there is no browser: what it was to show stays unshown
 */
export async function launchChromium(options: ChromiumOptions = {}): Promise<Browser> {
  return chromium.launch(launchOptions(options));
}

/** Starts one with a profile that is kept in a folder, as visitors have it: with a cache on the disk. */
export async function launchProfile(folder: string, options: ChromiumOptions = {}): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, { ...launchOptions(options), locale: 'en-US' });
}

const launchOptions = ({ webgpu = true, asShipped = false }: ChromiumOptions): ChromiumLaunch =>
  chromiumLaunch({ adapter: webgpu ? 'swiftshader' : 'none', asShipped });
