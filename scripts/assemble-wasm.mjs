// Assembles src/retrieval/exact/*.wat into modules that hold their bytes as base64, so that the same code runs in Node,
// Deno and a bundle without reading files.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import loadWabt from 'wabt';

const sources = new URL('../src/retrieval/exact/', import.meta.url);
const target = new URL('../src/retrieval/generated/', import.meta.url);
const wabt = await loadWabt();
mkdirSync(target, { recursive: true });
for (const name of readdirSync(sources).filter((file) => file.endsWith('.wat'))) {
  const module = wabt.parseWat(name, readFileSync(new URL(name, sources), 'utf8'), { simd: true });
  module.validate();
  const { buffer } = module.toBinary({});
  const text = `// Made by scripts/assemble-wasm.mjs from src/retrieval/exact/${name}; not committed.\nexport default '${Buffer.from(buffer).toString('base64')}';\n`;
  const file = new URL(name.replace(/\.wat$/, '.ts'), target);
  // Left untouched when nothing changed, so that watchers and incremental builds rest.
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}
