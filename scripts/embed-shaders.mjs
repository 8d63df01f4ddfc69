// Gathers shaders/**/*.wgsl into one module, so that the same source runs in Node, Deno and a bundle without reading
// files. Each is an export of its own, so that a bundle carries those that it uses; comments and indentation stay
// behind.
import { mkdirSync, readdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import path from 'node:path';

const shaders = new URL('../shaders/', import.meta.url);
const target = new URL('generated/shaders.ts', shaders);
/** The earlier versions of bench/ladder, which the package does not carry. */
const LEFT_OUT = /^ladder[/\\]/;

/** Lines keep their numbers only as far as none was left out before them; errors show the lines themselves. */
const bare = (source) => source.replace(/[ \t]*\/\/.*$/gm, '').replace(/^\s+/gm, '');
const camelCase = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

const exports = new Map();
for (const file of readdirSync(shaders, { recursive: true }).sort()) {
  if (!file.endsWith('.wgsl') || LEFT_OUT.test(file)) continue;
  const name = path.basename(file);
  const identifier = camelCase(path.basename(name, '.wgsl'));
  if (exports.has(identifier)) throw new Error(`shaders/${file}: another folder has a ${name}; rename one of them`);
  const source = bare(readFileSync(new URL(file.replaceAll(path.sep, '/'), shaders), 'utf8'));
  exports.set(
    identifier,
    `export const ${identifier}: Shader = { name: ${JSON.stringify(name)}, source: ${JSON.stringify(source)} };\n`,
  );
}
// Shaders of similar length are often similar, and gzip looks back 32 KiB only: 0.4 kB less of
// 60.
const entries = [...exports.values()].sort((a, b) => a.length - b.length);
const text = `// Made by scripts/embed-shaders.mjs from shaders/**/*.wgsl; not committed.\nimport type { Shader } from '../shader.ts';\n\n${entries.join('')}`;
mkdirSync(new URL('.', target), { recursive: true });
// Left untouched when nothing changed, so that watchers and incremental builds rest.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
