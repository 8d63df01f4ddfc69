/** `--generated`: the code that a driver gets of a WGSL file, and what other platforms would get. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { withOverrides, type OverrideValues } from '../../benchmark/wgsl/interface.ts';
import { threadModule } from '../../platform/node/thread-module.ts';
import type { AdapterChoice } from '../../platform/adapter.ts';
import { adapterEnvironment } from '../../platform/adapter.ts';

/** A pipeline whose code is wanted. */
export interface GeneratedPipeline {
  readonly label: string;
  readonly file: string;
  readonly code: string;
  readonly entryPoint: string;
  readonly overrides: OverrideValues;
}

/** Dawn's dumps by what introduces them, and the ending of the file. */
const DUMPS: readonly (readonly [RegExp, string])[] = [
  [/^\/\* Dumped SPIRV disassembly \*\//, '.spvasm'],
  [/^\/\* Dumped generated MSL \*\//i, '.metal'],
  [/^\/\* Dumped generated HLSL \*\//i, '.hlsl'],
];
/**
 * Writes the generated code of each pipeline into a folder. Dawn's: SPIR-V on Vulkan, MSL on Metal, HLSL on Direct3D, as
 * the driver gets it. Where it is not HLSL, besides a translation to HLSL by naga, which Firefox and wgpu use, if the npm
 * package wgsl-wasm-transpiler-bundler is installed. No package translates to MSL: that package's MSL leaves out entry
 * points that bind buffers.
 * @returns the files' names, and what is missing and why
 */
export async function writeGeneratedCode(
  folder: string,
  pipelines: readonly GeneratedPipeline[],
  adapter: AdapterChoice,
  unsafe: boolean,
): Promise<{ readonly files: readonly string[]; readonly missing: readonly string[] }> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  const missing: string[] = [];
  const write = async (label: string, ending: string, text: string): Promise<void> => {
    const name = `${label.replace(/[^\w.=-]+/g, '-')}${ending}`;
    await writeFile(path.join(folder, name), text);
    files.push(name);
  };
  const naga = await loadNaga();
  if (naga === undefined) missing.push('HLSL by naga: npm install wgsl-wasm-transpiler-bundler');
  for (const pipeline of pipelines) {
    const { label, code, overrides } = pipeline;
    const dumps = await dawnDumps(pipeline, adapter, unsafe).catch((error: unknown) => {
      missing.push(`${label}, Dawn's code: ${error instanceof Error ? error.message : String(error)}`);
      return new Map<string, string>();
    });
    for (const [ending, text] of dumps) await write(label, ending, text);
    if (!dumps.has('.metal')) missing.push(`${label}, MSL: only Dawn on macOS generates it`);
    if (naga === undefined || dumps.has('.hlsl')) continue;
    try {
      await write(label, '.naga.hlsl', naga(withOverrides(code, overrides), 'hlsl'));
    } catch (error) {
      missing.push(`${label}, HLSL by naga: ${String(error)}`);
    }
  }
  return { files, missing };
}

/** What Dawn writes of a pipeline with its toggle dump_shaders: on the standard output of the process, so of another one. */
async function dawnDumps(
  pipeline: GeneratedPipeline,
  adapter: AdapterChoice,
  unsafe: boolean,
): Promise<Map<string, string>> {
  const module = threadModule(import.meta.url, 'dump-shaders');
  const environment = { ...process.env, ...(await adapterEnvironment(adapter)) };
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      ...(module.pathname.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : []),
      module.pathname,
    ],
    {
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  child.stdin.end(JSON.stringify({ ...pipeline, unsafe }));
  let printed = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(`the process that compiles it ended with ${code}: ${errors.trim().slice(-500)}`);
  const found = new Map<string, string>();
  for (const part of printed.split(/^info:\n/m))
    for (const [head, ending] of DUMPS) if (head.test(part)) found.set(ending, part.trimEnd().concat('\n'));
  return found;
}

type Translate = (code: string, format: 'hlsl') => string;

/** naga, compiled to WebAssembly. Its package is made for bundlers, so that its parts are put together here. */
async function loadNaga(): Promise<Translate | undefined> {
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve('wgsl-wasm-transpiler-bundler');
  } catch {
    return undefined;
  }
  const glueFile = entry.replace(/\.js$/, '_bg.js');
  const glue = (await import(glueFile)) as WebAssembly.ModuleImports & {
    __wbg_set_wasm(exports: WebAssembly.Exports): void;
    compileShader: Translate;
  };
  const { instance } = await WebAssembly.instantiate(await readFile(entry.replace(/\.js$/, '_bg.wasm')), {
    [`./${path.basename(glueFile)}`]: glue,
  });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports.__wbindgen_start as () => void)();
  return glue.compileShader;
}
