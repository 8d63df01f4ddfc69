import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { ShaderError } from './errors.ts';

const LINES_AROUND_AN_ERROR = 2;

/**
 * Compiles the pipeline of a dispatch.
 * @throws ShaderError with the compiler's messages and the lines around them
 */
export async function compilePipeline(gpu: GPUDevice, dispatch: Dispatch): Promise<GPUComputePipeline> {
  const label = dispatch.shader.name;
  const source = composeShader(dispatch);
  const entryPoint = dispatch.entryPoint ?? 'main';
  gpu.pushErrorScope('validation');
  const module = gpu.createShaderModule({ label, code: source });
  const moduleError = gpu.popErrorScope();
  // Its failure comes with the promise, never to an error scope.
  const pipeline = gpu.createComputePipelineAsync({
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
