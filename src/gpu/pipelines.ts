import type { Wait } from './wait.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { ShaderError } from './errors.ts';

const LINES_AROUND_AN_ERROR = 2;

/**
 * Compute pipelines by source and entry point: each is compiled once, asynchronously, and all of a list in parallel.
 */
export class PipelineCache {
  private readonly gpu: GPUDevice;
  private readonly wait: Wait;
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(gpu: GPUDevice, wait: Wait = (work) => work) {
    this.gpu = gpu;
    this.wait = wait;
  }

  get(dispatch: Dispatch): Promise<GPUComputePipeline> {
    const key = pipelineKey(dispatch);
    let pipeline = this.pipelines.get(key);
    if (pipeline === undefined) {
      pipeline = this.compile(dispatch.shader.name, composeShader(dispatch), dispatch.entryPoint ?? 'main');
      this.pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /**
   * Compiles all that a list of dispatches needs; `onProgress` hears of each one that is ready. Rejects with what it
   * throws.
   */
  async getAll(
    dispatches: readonly Dispatch[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<GPUComputePipeline[]> {
    const pending = dispatches.map((dispatch) => this.get(dispatch));
    const distinct = new Set(pending);
    let done = 0;
    // The listener is the caller's: what it throws is awaited with the rest, and rejects this call.
    const told = [...distinct].map((pipeline) => pipeline.then(() => onProgress?.(++done, distinct.size)));
    const [pipelines] = await this.wait(Promise.all([Promise.all(pending), ...told]));
    return pipelines;
  }

  private async compile(label: string, source: string, entryPoint: string): Promise<GPUComputePipeline> {
    this.gpu.pushErrorScope('validation');
    const module = this.gpu.createShaderModule({ label, code: source });
    const moduleError = this.gpu.popErrorScope();
    // Its failure comes with the promise, never to an error scope.
    const pipeline = this.gpu.createComputePipelineAsync({
      label: `${label}:${entryPoint}`,
      layout: 'auto',
      compute: { module, entryPoint },
    });
    // Both are awaited together, so that neither rejection is left unhandled when the other comes first.
    const [scope, made] = await Promise.allSettled([moduleError, pipeline]);
    const invalid = scope.status === 'fulfilled' && scope.value !== null;
    if (made.status === 'fulfilled' && !invalid) return made.value;
    const { messages } = await module.getCompilationInfo();
    const cause = made.status === 'rejected' ? String(made.reason) : '';
    throw new ShaderError(
      `${label} (entry point ${entryPoint}) does not compile.\n${explainMessages(source, messages) || cause}`,
    );
  }
}

const keys = new WeakMap<Dispatch, string>();

/** What tells a pipeline from others: its entry point and its complete source. */
export function pipelineKey(dispatch: Dispatch): string {
  let key = keys.get(dispatch);
  if (key === undefined) keys.set(dispatch, (key = `${dispatch.entryPoint ?? 'main'}\n${composeShader(dispatch)}`));
  return key;
}

/**
 * Subgroups that do different things at one time, which is what they are for, are beyond what the analysis of
 * uniformity can follow.
 */
const SUBGROUPS_APART = 'diagnostic(off, chromium.subgroup_matrix_uniformity);\n';

/** The complete WGSL of a dispatch: extensions, then its constants, then the files as they are. */
export function composeShader(dispatch: Dispatch): string {
  const features = dispatch.features ?? [];
  const enables = features.map((feature) => `enable ${feature};\n`);
  if (features.includes('chromium_experimental_subgroup_matrix')) enables.push(SUBGROUPS_APART);
  const constants = Object.entries(dispatch.constants ?? {}).map(([name, value]) => {
    if (typeof value === 'string') return `alias ${name} = ${value};\n`;
    return typeof value === 'boolean' ? `const ${name} = ${value};\n` : `const ${name}: u32 = ${value}u;\n`;
  });
  const sources = [...(dispatch.libraries ?? []), dispatch.shader].map(({ source }) => source);
  return enables.join('') + constants.join('') + sources.join('\n');
}

/** A compiler's messages, each with its line, its column and the lines around it. */
export function explainMessages(source: string, messages: readonly GPUCompilationMessage[]): string {
  const lines = source.split('\n');
  return messages
    .map(({ type, lineNum, linePos, message }) => {
      const first = Math.max(1, lineNum - LINES_AROUND_AN_ERROR);
      const shown = lines
        .slice(first - 1, lineNum + LINES_AROUND_AN_ERROR)
        .map(
          (line, index) => `${first + index === lineNum ? '>' : ' '} ${String(first + index).padStart(4)} | ${line}`,
        );
      return `${type} at ${lineNum}:${linePos}: ${message}\n${shown.join('\n')}`;
    })
    .join('\n');
}
