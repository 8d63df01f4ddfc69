/**
 * Time from the address to the first search ready in web/, in a real Chromium on SwiftShader: cold, in a new profile,
 * and warm, the next visit in the same profile after the browser was closed. They alternate. Once from a server that
 * answers at once, and once at 20 Mbit/s.
 *
 *   npm run bench:page [-- PAIRS]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { launchProfile } from '../test/support/chromium.ts';
import { kept, ready, servePage } from '../test/support/web-page.ts';

const pairs = Number(process.argv[2] ?? 5);
if (!Number.isInteger(pairs) || pairs < 1)
  throw new RangeError(`the number of pairs is a whole number from 1 on, and it is "${process.argv[2]}"`);

const NETWORKS = { 'no limit': Infinity, '20 Mbit/s': 20e6 / 8 };

/** When a text appeared first: where the time goes. */
interface Visit {
  readonly ready: number;
  /** From when on pipelines were compiled: before that the page loads and reads its files. */
  readonly compiling: number;
}

for (const [network, pace] of Object.entries(NETWORKS)) {
  let bytes = 0;
  const site = await servePage((_, response) => {
    const write = response.write.bind(response) as (chunk: Buffer) => boolean;
    const end = response.end.bind(response) as (chunk?: Buffer) => typeof response;
    response.write = (chunk: Buffer) => ((bytes += chunk.length), write(chunk));
    response.end = ((chunk?: Buffer) => ((bytes += chunk?.length ?? 0), end(chunk))) as typeof response.end;
    return false;
  }, pace);
  const visits: Record<'cold' | 'warm', (Visit & { readonly bytes: number })[]> = { cold: [], warm: [] };
  try {
    for (let pair = 0; pair < pairs; pair++) {
      const profile = await mkdtemp(path.join(tmpdir(), 'sketchgrad-profile-'));
      for (const kind of ['cold', 'warm'] as const) {
        const before = bytes;
        const visit = await visitOnce(profile, site.address);
        visits[kind].push({ ...visit, bytes: bytes - before });
      }
      await rm(profile, { recursive: true, force: true });
    }
  } finally {
    await site.close();
  }
  for (const [kind, all] of Object.entries(visits)) {
    const of = (name: 'ready' | 'compiling' | 'bytes'): number[] =>
      all.map((visit) => visit[name]).sort((a, b) => a - b);
    const seconds = of('ready').map((time) => time / 1000);
    const loading = of('compiling')[pairs >> 1] / 1000;
    console.log(
      `${network.padEnd(9)} ${kind} median ${seconds[pairs >> 1].toFixed(2)} s, ${seconds[0].toFixed(2)} to ${seconds[pairs - 1].toFixed(2)}, ${pairs} visits; compiling begins at ${loading.toFixed(2)} s; ${(of('bytes')[pairs >> 1] / 1e6).toFixed(2)} MB from the server`,
    );
  }
}

async function visitOnce(profile: string, address: string): Promise<Visit> {
  const context = await launchProfile(profile, { asShipped: true });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    await page.addInitScript(() => {
      new MutationObserver(() => {
        const status = document.getElementById('status')?.textContent ?? '';
        if (/^(Getting ready|Compiling)/.test(status))
          (globalThis as { compiling?: number }).compiling ??= performance.now();
      }).observe(document, { childList: true, subtree: true });
    });
    // The browser's own start is no part of it.
    await page.waitForTimeout(1000);
    const begin = performance.now();
    await page.goto(address);
    await ready(page);
    const visit = {
      ready: performance.now() - begin,
      compiling: await page.evaluate(() => (globalThis as { compiling?: number }).compiling ?? NaN),
    };
    await kept(page);
    return visit;
  } finally {
    await context.close();
  }
}
