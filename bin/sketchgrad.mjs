#!/usr/bin/env node
// Starts the command: in the repository from its TypeScript sources, through tsx, which translates them as they are
// loaded; in the npm package from what was built.
import { existsSync } from 'node:fs';

const sources = new URL('../src/cli/main.ts', import.meta.url);
try {
  if (existsSync(sources)) {
    const { register } = await import('tsx/esm/api');
    register();
    await import(sources.href);
  } else {
    await import('../dist/src/cli/main.js');
  }
} catch (error) {
  const missing = /Cannot find package '([^']+)'/.exec(String(error))?.[1];
  if (missing === undefined) throw error;
  // A page needs none of them, so that npm does not install them with the package.
  console.error(
    `sketchgrad: the command needs the package ${missing}. In your project: npm install webgpu sharp pngjs commander cli-progress uplot umap-js`,
  );
  process.exitCode = 1;
}
