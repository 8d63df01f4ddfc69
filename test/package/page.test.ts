// The package in pages: without a bundler, and its decoder beside Node's.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { decodeImage } from '../../src/platform/node/images.ts';
import { launchChromium } from '../support/chromium.ts';
import { PackageProject, root } from '../support/packed-package.ts';
import { openPage, serve } from '../support/web-page.ts';

const DECODER_PAGE =
  '<!doctype html><script type="importmap">{ "imports": { "sketchgrad/browser": "./node_modules/sketchgrad/dist/src/platform/browser/index.js" } }</script>';

/** Waves and an edge, in colors that need not be opaque. */
function testPicture(width: number, height: number, alpha: boolean): Sharp {
  const data = Buffer.alloc(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const edge = 3 * x > width + y ? 90 : 0;
      data.set(
        [
          130 + 120 * Math.sin(x / 5),
          130 + 120 * Math.sin((x + 2 * y) / 11),
          (x * y + edge) % 256,
          alpha ? (7 * x + 3 * y) % 256 : 255,
        ],
        4 * (y * width + x),
      );
    }
  }
  return sharp(data, { raw: { width, height, channels: 4 } });
}

let project: PackageProject;
const at = (...names: string[]): string => project.at(...names);

test.before(async () => {
  project = await PackageProject.make();
});
test.after(() => project.remove());

test('the page of docs/page.md, twenty lines without a bundler, works as printed', async () => {
  const printed = /```html\n(.*?)\n```/s.exec(await readFile(path.join(root, 'docs/page.md'), 'utf8'))?.[1] ?? '';
  assert.ok(printed !== '' && printed.split('\n').length <= 20, `${printed.split('\n').length} lines`);
  const files = new Set<string>();
  await writeFile(at('index.html'), printed);
  const site = await serve(project.folder);
  const browser = await launchChromium();
  try {
    const { page, errors } = await openPage(browser, 'about:blank');
    page.on('response', (response) => files.add(response.url()));
    await page.goto(site.address);
    await page.waitForFunction(() => document.querySelector('pre')?.textContent?.includes('step 151:'));
    const losses = [...(await page.innerText('pre')).matchAll(/^step \d+: mean squared error (\S+)$/gm)].map(
      ([, loss]) => Number(loss),
    );
    assert.is(losses.length, 4);
    assert.ok(losses[3] < 0.1 * losses[0], `errors ${losses.join(', ')}`);
    console.log(`${files.size} files, errors ${losses.join(', ')}`);
    // The browser asks for an icon of its own accord.
    assert.equal(
      errors.filter((message) => !message.includes('404')),
      [],
    );
    // What it painted is what it prints: the squares' colors, up to a few of these errors.
    const apart = await page.evaluate(() => {
      const [left, right] = [...document.querySelectorAll('canvas')].map(
        (canvas) => canvas.getContext('2d')?.getImageData(0, 0, 32, 32).data ?? new Uint8ClampedArray(),
      );
      return left.reduce((sum, value, i) => sum + ((value - right[i]) / 255) ** 2, 0) / left.length;
    });
    assert.ok(apart < 2 * losses[3], `the squares of the painted errors have the mean ${apart}`);
  } finally {
    await browser.close();
    await site.close();
  }
});

test('its decoder gives a page the pixels that it gives Node, also of large and see-through pictures', async () => {
  await writeFile(at('index.html'), DECODER_PAGE);
  const site = await serve(project.folder);
  const browser = await launchChromium({ webgpu: false });
  try {
    const { page } = await openPage(browser, site.address);
    const kinds: [name: string, make: (width: number, height: number) => Sharp][] = [
      ['PNG', (width, height) => testPicture(width, height, false).png()],
      ['see-through PNG', (width, height) => testPicture(width, height, true).png()],
      ['JPEG, 4:2:0', (width, height) => testPicture(width, height, false).jpeg({ chromaSubsampling: '4:2:0' })],
      [
        'JPEG turned by Exif',
        (width, height) => testPicture(width, height, false).withMetadata({ orientation: 6 }).jpeg(),
      ],
      ['lossy WebP', (width, height) => testPicture(width, height, false).webp({ quality: 60 })],
    ];
    for (const [width, height] of [
      [32, 32],
      [96, 96],
      [600, 600],
      [1000, 333],
      [17, 5],
    ]) {
      for (const [name, make] of kinds) {
        const picture = await make(width, height).toBuffer();
        const pixels = await page.evaluate(async (base64) => {
          const { decodeImage } = (await import('sketchgrad/browser' as string)) as {
            decodeImage(picture: Blob, size: number): Promise<Uint8Array>;
          };
          return [
            ...(await decodeImage(await (await fetch(`data:application/octet-stream;base64,${base64}`)).blob(), 32)),
          ];
        }, picture.toString('base64'));
        const here = [...(await decodeImage(picture, 32, 'the picture'))];
        const other = here.filter((value, i) => value !== pixels[i]).length;
        assert.is(other, 0, `${width} x ${height} ${name}: ${other} of ${here.length} values differ`);
      }
    }
  } finally {
    await browser.close();
    await site.close();
  }
});

test.run();
