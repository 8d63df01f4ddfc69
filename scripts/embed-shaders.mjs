// Gathers shaders/*.wgsl into one module, so that the same source runs in Node, Deno and a bundle without reading files.
import { mkdirSync, readdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';

const shaders = new URL('../shaders/', import.meta.url);
const target = new URL('../src/gpu/generated/shaders.ts', import.meta.url);
const entries = readdirSync(shaders)
  .filter((name) => name.endsWith('.wgsl'))
  .sort()
  .map((name) => `  ${JSON.stringify(name)}: ${JSON.stringify(readFileSync(new URL(name, shaders), 'utf8'))},\n`);
const text =
  '// Made by scripts/embed-shaders.mjs from shaders/*.wgsl; not committed.\n' +
  `export const shaderSources = {\n${entries.join('')}} as const;\n` +
  'export type ShaderName = keyof typeof shaderSources;\n';
mkdirSync(new URL('.', target), { recursive: true });
// Left untouched when nothing changed, so that watchers and incremental builds rest.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
