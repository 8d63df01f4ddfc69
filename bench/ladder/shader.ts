import { readFileSync } from 'node:fs';
import type { Shader } from '../../kernels/contract/dispatch.ts';

/** A shader of shaders/ladder/: an earlier version of a kernel, which the package does not carry. */
export function ladderShader(name: string): Shader {
  return {
    name: `ladder/${name}.wgsl`,
    source: readFileSync(new URL(`../../shaders/ladder/${name}.wgsl`, import.meta.url), 'utf8'),
  };
}
