import path from 'node:path';
import { defineConfig } from 'vite';
import { serviceWorker } from './service-worker-plugin.ts';

export default defineConfig({
  root: import.meta.dirname,
  // The folder may be served from any path.
  base: './',
  build: {
    outDir: '../dist-web',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: true,
    rolldownOptions: {
      input: {
        index: path.join(import.meta.dirname, 'index.html'),
        bench: path.join(import.meta.dirname, 'bench/index.html'),
      },
    },
  },
  plugins: [serviceWorker()],
  worker: { format: 'es' },
});
