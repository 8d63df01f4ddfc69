// What the suites of the page share: one browser, one site and one folder for all tests of a suite.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { test } from 'uvu';
import { launchChromium } from './chromium.ts';
import { smallPageModel } from './page-model.ts';
import { openPage, ready, servePage, type Answering, type Site } from './web-page.ts';

export interface PageSuite {
  readonly browser: Browser;
  readonly site: Site;
  /** A path in the suite's folder, which is deleted at the end. */
  at(...names: string[]): string;
  /** Opens the page in a profile of its own, and waits until it can search. */
  open(options?: BrowserContextOptions): ReturnType<typeof openPage>;
  /**
   * One page for all tests that begin and end with an empty pad: each page that is opened compiles its pipelines anew,
   * which takes five seconds of a processor. It is opened once.
   */
  shared(): ReturnType<typeof openPage>;
}

export interface PageSuiteOptions {
  /** Fills the suite's folder before the first test. */
  readonly prepare?: (at: PageSuite['at']) => Promise<void>;
  /** Answers requests in place of the page's files. */
  readonly answers?: Answering;
  /** Whether the page gets `smallPageModel` in place of its own: for suites that train in it. */
  readonly smallModel?: boolean;
}

/** Makes ready before the first test of the file that calls it, and tidies up behind the last. */
export function pageSuite({ prepare, answers, smallModel = false }: PageSuiteOptions = {}): PageSuite {
  let folder: string;
  let site: Site;
  let browser: Browser;
  let shared: ReturnType<typeof openPage> | undefined;
  const at: PageSuite['at'] = (...names) => path.join(folder, ...names);
  test.before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-page-'));
    await prepare?.(at);
    const model = smallModel ? await smallPageModel() : undefined;
    site = await servePage((name, response) => {
      if (model === undefined || name !== 'model.safetensors') return answers?.(name, response) ?? false;
      response.end(model);
      return true;
    });
    browser = await launchChromium();
  });
  test.after(async () => {
    await browser.close();
    await site.close();
    await rm(folder, { recursive: true });
  });
  const open: PageSuite['open'] = async (options) => {
    const opened = await openPage(browser, site.address, options);
    await ready(opened.page);
    return opened;
  };
  return {
    get browser() {
      return browser;
    },
    get site() {
      return site;
    },
    at,
    open,
    shared: () => (shared ??= open()),
  };
}
