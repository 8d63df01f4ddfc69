// How long the page's main thread is kept busy by one task, in its own processor time: other programs on the machine,
// and the software that stands for the graphics card, do not count.
import type { Browser, Page } from 'playwright-core';

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly args?: { readonly name?: string };
  /** Processor time in microseconds. */
  readonly tdur?: number;
}

/**
 * Does something, and gives the longest task of the page's main thread meanwhile, in milliseconds of processor time.
 */
export async function longestTask(
  browser: Browser,
  page: Page,
  work: () => Promise<void>,
): Promise<{ readonly milliseconds: number; readonly tasks: number }> {
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  await work();
  const trace = await browser.stopTracing();
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const mainThreads = new Set(
    traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const tasks = traceEvents.filter(
    ({ name, ph, pid, tid, tdur }) =>
      name.endsWith('RunTask') && ph === 'X' && tdur !== undefined && mainThreads.has(`${pid} ${tid}`),
  );
  return { milliseconds: tasks.reduce((most, { tdur = 0 }) => Math.max(most, tdur / 1000), 0), tasks: tasks.length };
}
