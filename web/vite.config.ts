import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // The folder may be served from any path.
  base: './',
  build: { outDir: '../dist-web', emptyOutDir: true, target: 'es2022', sourcemap: true },
  worker: { format: 'es' },
});
