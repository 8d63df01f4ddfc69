// What a page loads: esbuild over the package, as it is found in a folder's node_modules or named by its own
// package.json. Code that the package imports on demand (recomputation for memory budgets, the profiler) is split off,
// as bundlers do, and not counted. An import of a Node module would be an error.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** A module that uses the package. */
export interface Page {
  readonly title: string;
  readonly source: string;
  /** Whether it takes gradients. One that does not has none of their kernels. */
  readonly differentiates: boolean;
  /** The most bytes that it may take, gzipped. */
  readonly limit?: number;
}

export const PAGES: readonly Page[] = [
  {
    title: 'engine and inference of ResNet50',
    source: `
      import { openDevice, decodeImage } from 'sketchgrad/browser';
      import { parseModel, openRetrievalModel, modelEmbeddings } from 'sketchgrad/retrieval';
      const model = openRetrievalModel(await openDevice(), await parseModel(new Uint8Array(await (await fetch('model.safetensors')).arrayBuffer()), 'model'), 'model');
      const rows = await modelEmbeddings(model, 1);
      console.log(await rows.compute([{ domain: 'photo', className: '', name: '' }], { read: (_, size) => decodeImage(new Blob(), size) }));`,
    differentiates: false,
    limit: 66_000,
  },
  {
    title: 'the engine alone',
    source: `
      import { input, multiply, Program, relu, DeviceStorage, sum } from 'sketchgrad/engine';
      import { openDevice } from 'sketchgrad/browser';
      const x = input('x', [8]);
      const program = await Program.compile(new DeviceStorage(await openDevice()), { outputs: { y: sum(multiply(relu(x), x)) } });
      console.log(await program.run({ x: new Float32Array(8) }));`,
    differentiates: false,
    limit: 21_500,
  },
  {
    title: 'the search of an icon index, which a page can load on demand beside the engine',
    source:
      "import { fitToInk, iconId, IconRanking, openIconIndex } from 'sketchgrad/retrieval'; console.log(fitToInk, iconId, IconRanking, openIconIndex);",
    differentiates: false,
    limit: 10_000,
  },
  {
    title: 'the engine with gradients',
    source:
      "import { gradient, input, Program, relu, DeviceStorage, sum } from 'sketchgrad/engine'; console.log(gradient, input, Program, relu, DeviceStorage, sum);",
    differentiates: true,
  },
  {
    title: 'training and search',
    source:
      "import { trainRetrieval } from 'sketchgrad/training'; import * as retrieval from 'sketchgrad/retrieval'; console.log(trainRetrieval, retrieval);",
    differentiates: true,
  },
];

/** A module with all that it imports, minified. */
export interface Bundle {
  readonly code: string;
  readonly bytes: number;
  readonly gzippedBytes: number;
  /** Minified bytes of each module that is left in it, the largest first. */
  readonly modules: readonly (readonly [path: string, bytes: number])[];
}

/** @param folder from which the package is found */
export async function bundle({ source }: Page, folder: string): Promise<Bundle> {
  const {
    outputFiles,
    metafile: { outputs },
  } = await build({
    stdin: { contents: source, resolveDir: folder },
    bundle: true,
    minify: true,
    splitting: true,
    outdir: 'out',
    format: 'esm',
    platform: 'browser',
    write: false,
    metafile: true,
    absWorkingDir: folder,
  });
  const loaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const { path, kind } of outputs[file].imports) if (kind === 'import-statement') load(path);
  };
  load(Object.keys(outputs).find((file) => outputs[file].entryPoint !== undefined) ?? '');
  const files = outputFiles.filter(({ path }) => [...loaded].some((file) => path.endsWith(`/${file}`)));
  const modules = [...loaded]
    .flatMap((file) => Object.entries(outputs[file].inputs))
    .map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const)
    .filter(([, bytes]) => bytes > 0);
  return {
    code: files.map(({ text }) => text).join(''),
    bytes: files.reduce((sum, { contents }) => sum + contents.length, 0),
    gzippedBytes: files.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0),
    modules: modules.sort(([, a], [, b]) => b - a),
  };
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

/** One line: what it is and what it takes. */
export const describeBundle = ({ title, limit }: Page, { bytes, gzippedBytes }: Bundle): string =>
  `${title}: ${kilobytes(gzippedBytes)} gzipped${limit === undefined ? '' : ` of ${kilobytes(limit)}`}, ${kilobytes(bytes)} minified`;

/** Where the bytes are. */
export const largestModules = ({ modules }: Bundle, count: number): string =>
  modules
    .slice(0, count)
    .map(([path, bytes]) => `${String(bytes).padStart(8)}  ${path}`)
    .join('\n');
