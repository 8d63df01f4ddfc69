// Gathers shaders/*.wgsl into one module, so that the same source runs in Node, Deno and a bundle without reading
// files. Each is an export of its own, so that a bundle carries those that it uses; comments and indentation stay
// behind.
import { mkdirSync, readdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';

const shaders = new URL('../shaders/', import.meta.url);
const target = new URL('../src/gpu/generated/shaders.ts', import.meta.url);
/** Lines keep their numbers only as far as none was left out before them; errors show the lines themselves. */
const bare = (source) => source.replace(/[ \t]*\/\/.*$/gm, '').replace(/^\s+/gm, '');
const entries = readdirSync(shaders)
  .filter((name) => name.endsWith('.wgsl'))
  .sort()
  .map(
    (name) =>
      `export const ${name.slice(0, -'.wgsl'.length)}: Shader = { name: ${JSON.stringify(name)}, source: ${JSON.stringify(bare(readFileSync(new URL(name, shaders), 'utf8')))} };\n`,
  )
  // Shaders of like length are often alike, and gzip, by which pages load them, looks back 32 KiB only: 0.4 kB less of
  // 60.
  .sort((a, b) => a.length - b.length);
const text = `// Made by scripts/embed-shaders.mjs from shaders/*.wgsl; not committed.\nimport type { Shader } from '../dispatch.ts';\n\n${entries.join('')}`;
mkdirSync(new URL('.', target), { recursive: true });
// Left untouched when nothing changed, so that watchers and incremental builds rest.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
