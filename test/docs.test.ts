// Links of the documentation point at files that exist, and no page outside the lab is longer than a reader takes.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const MOST_LINES = 200;
const MOST_README_LINES = 120;

const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/README.md', 'configs/README.md'],
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
];
const textOf = (page: string): string => readFileSync(path.join(root, page), 'utf8');

test('every relative link of a page is to a file that exists', () => {
  const broken = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)\s]*\)/g)]
      .map(([, target]) => target)
      .filter((target) => !existsSync(path.join(root, path.dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  assert.equal(broken, []);
});

test('every page that text or a comment names exists', () => {
  const sources = ['src', 'kernels', 'shaders', 'datasets', 'bench', 'scripts', 'test'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mjs|wgsl|md)$/.test(name) && !name.includes('node_modules'))
      .map((name) => path.join(folder, name)),
  );
  const missing = [...pages, ...sources].flatMap((file) =>
    [...textOf(file).matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md\b/g)]
      .map(([named]) => named)
      .filter((named) => !existsSync(path.join(root, named)))
      .map((named) => `${file}: ${named}`),
  );
  assert.equal(missing, []);
});

/** Anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (page: string): Set<string> =>
  new Set(
    [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );

test('every link into a page is to one of its headings', () => {
  const broken = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)]
      .map(([, target, anchor]) => ({
        target: target === '' ? page : path.join(path.dirname(page), target),
        anchor,
      }))
      .filter(({ target, anchor }) => target.endsWith('.md') && !anchorsOf(target).has(anchor))
      .map(({ target, anchor }) => `${page}: ${target}#${anchor}`),
  );
  assert.equal(broken, []);
});

test('pages are short: 120 lines of README, 200 of any page outside the lab', () => {
  assert.ok(textOf('README.md').split('\n').length <= MOST_README_LINES);
  const long = pages
    .filter((page) => !page.startsWith('docs/lab/'))
    .filter((page) => textOf(page).split('\n').length > MOST_LINES + 1);
  assert.equal(long, []);
});

test.run();
