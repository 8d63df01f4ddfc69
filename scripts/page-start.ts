/**
 * Time from the address to the first useful result in web/, in a real Chromium on SwiftShader: cold, the first load of a browser
 * without any cache, and warm, the loads after it.
 *
 *   npm run bench:page [-- LOADS]
 */
import { launchChromium } from '../test/support/chromium.ts';
import { ready, servePage } from '../test/support/web-page.ts';

const loads = Number(process.argv[2] ?? 5);
if (!Number.isInteger(loads) || loads < 1) throw new RangeError(`the number of warm loads is a whole number from 1 on, and it is "${process.argv[2]}"`);

const site = await servePage();
const times: Record<'cold' | 'warm', number[]> = { cold: [], warm: [] };
try {
  for (let start = 0; start < 2; start++) {
    const browser = await launchChromium({ asShipped: true });
    try {
      const context = await browser.newContext({ locale: 'en-US' });
      for (let load = 0; load <= loads; load++) {
        const page = await context.newPage();
        const begin = performance.now();
        await page.goto(site.address);
        await ready(page);
        times[load === 0 ? 'cold' : 'warm'].push((performance.now() - begin) / 1000);
        await page.close();
      }
    } finally {
      await browser.close();
    }
  }
} finally {
  await site.close();
}
for (const [kind, seconds] of Object.entries(times)) {
  const sorted = [...seconds].sort((a, b) => a - b);
  console.log(`${kind.padEnd(5)} median ${sorted[sorted.length >> 1].toFixed(2)} s, ${sorted[0].toFixed(2)} to ${sorted[sorted.length - 1].toFixed(2)}, ${sorted.length} loads`);
}
