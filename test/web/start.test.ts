// The page loads: it tells how far it is, and what is missing.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { assertAccessible } from '../support/accessibility.ts';
import { launchChromium } from '../support/chromium.ts';
import { pageSuite } from '../support/page-suite.ts';
import { openPage, ready, type Answering } from '../support/web-page.ts';

const FILES: Readonly<Record<string, RegExp>> = {
  'model.safetensors': /model\.safetensors/,
  'index.safetensors': /index\.safetensors/,
  'emoji.json': /emoji\.json/,
  'emoji.webp': /emoji\.webp/,
  'the worker': /^assets\/engine\.worker.*\.js$/,
};

const publicFile = (name: string): string => fileURLToPath(new URL(`../../web/public/${name}`, import.meta.url));

let answers: Answering = () => false;
const suite = pageSuite({ answers: (name, response) => answers(name, response) });

test('a missing file, or one that breaks off, ends the loading with its name', async () => {
  for (const [what, file] of Object.entries(FILES)) {
    for (const how of ['missing', 'breaks off'] as const) {
      answers = (name, response) => {
        if (!file.test(name)) return false;
        if (how === 'missing') response.writeHead(404).end();
        else {
          response.writeHead(200, {
            'content-type': name.endsWith('.js') ? 'text/javascript' : 'application/octet-stream',
            'content-length': 1000,
          });
          response.write('{', () => response.destroy());
        }
        return true;
      };
      const { page } = await openPage(suite.browser, suite.site.address);
      await page.waitForSelector('#trouble:not([hidden])');
      assert.match(
        await page.innerText('#trouble'),
        what === 'the worker'
          ? /engine\.worker, cannot be loaded/
          : new RegExp(`${what.replace('.', '\\.')} cannot be loaded`),
        `${what} ${how}`,
      );
      assert.is(await page.innerText('#status'), 'This page cannot search here.', `${what} ${how}`);
      if (what !== 'the worker')
        assert.not.match(await page.innerText('#adapter'), /no graphics adapter/, `${what} ${how}`);
      await page.context().close();
    }
  }
});

test('loading tells of bytes, and of pipelines as they are compiled', async () => {
  const model = await readFile(publicFile('model.safetensors'));
  let goOn = (): void => undefined;
  answers = (name, response) => {
    if (name !== 'model.safetensors') return false;
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': model.length });
    response.write(model.subarray(0, model.length >> 1));
    goOn = () => response.end(model.subarray(model.length >> 1));
    return true;
  };
  const { page, errors } = await openPage(suite.browser, suite.site.address);
  await page.waitForFunction(() =>
    /^Loading … \d\.\d of \d\.\d MB$/.test(document.getElementById('status')?.textContent ?? ''),
  );
  // The rest of the model is missing, and no file is unknown.
  const bar = page.locator('#start-progress');
  const sizes = await Promise.all(
    ['model.safetensors', 'index.safetensors', 'emoji.json', 'emoji.webp'].map(
      async (name) => (await stat(publicFile(name))).size,
    ),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  await page.waitForFunction(
    (most) => (document.getElementById('start-progress') as HTMLProgressElement).value === most,
    total - (model.length - (model.length >> 1)),
  );
  assert.is(await bar.getAttribute('max'), String(total));
  await page.evaluate(() => {
    const status = document.getElementById('status') as HTMLElement;
    const said: string[] = [];
    new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
    Object.assign(globalThis, { said });
  });
  goOn();
  await ready(page);
  const said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
  const compiled = said.flatMap((text) =>
    [...text.matchAll(/^Compiling: (\d+) of (\d+) pipelines$/g)].map(([, done, total]) => [
      Number(done),
      Number(total),
    ]),
  );
  assert.ok(compiled.length > 1, said.join('; '));
  assert.is(compiled[compiled.length - 1][0], compiled[0][1]);
  assert.ok(compiled[0][1] <= 8, `a search by one sketch compiles ${compiled[0][1]} pipelines`);
  assert.not.ok(await bar.isVisible());
  assert.is(await page.innerText('#status'), 'Draw something.');
  await assertAccessible(page);
  assert.equal(errors, []);
  await page.context().close();
});

test('without WebGPU the page says what is missing', async () => {
  answers = () => false;
  const plain = await launchChromium({ webgpu: false });
  const { page, errors } = await openPage(plain, suite.site.address);
  await page.waitForSelector('#trouble:not([hidden])');
  assert.match(await page.innerText('#trouble'), /WebGPU.*(hardware acceleration|settings)/s);
  assert.match(await page.innerText('#status'), /cannot search/);
  assert.is(await page.innerText('#adapter'), 'no graphics adapter');
  await assertAccessible(page);
  assert.equal(errors, []);
  await plain.close();
});

test.run();
