import type { KernelCall } from '../../kernels/kernel.ts';
import { pipelineKey } from '../gpu/compile-pipeline.ts';

/** Hexadecimal digits of a digest: 64 bits, plenty to tell shaders apart. */
const DIGITS = 16;

const ofCalls = new WeakMap<KernelCall, Promise<string>>();

/** Digests of code, by which a cache sees that what it knows is of other code. Each text is digested once. */
export class Digests {
  private readonly known = new Map<string, Promise<string>>();

  /** The beginning of the text's SHA-256. */
  of(text: string): Promise<string> {
    let digest = this.known.get(text);
    if (digest === undefined) {
      digest = crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)).then((bytes) =>
        [...new Uint8Array(bytes)]
          .map((byte) => byte.toString(16).padStart(2, '0'))
          .join('')
          .slice(0, DIGITS),
      );
      this.known.set(text, digest);
    }
    return digest;
  }

  /** The digest of all that a call runs: complete shader sources, parameters, operands and grids. */
  ofCall(call: KernelCall): Promise<string> {
    let digest = ofCalls.get(call);
    if (digest === undefined) ofCalls.set(call, (digest = this.ofDispatches(call)));
    return digest;
  }

  private async ofDispatches({ dispatches }: KernelCall): Promise<string> {
    const parts = await Promise.all(
      dispatches.map(async (dispatch) => [
        await this.of(pipelineKey(dispatch)),
        dispatch.parameters ?? [],
        dispatch.operands,
        dispatch.workgroups,
      ]),
    );
    return this.of(JSON.stringify(parts));
  }
}

/** The digest of all variants that there are to choose from, with their names: what a measurement on this machine is valid for. */
export async function codeDigest(calls: readonly KernelCall[], digests: Digests): Promise<string> {
  return digests.of(
    JSON.stringify(await Promise.all(calls.map(async (call) => [call.variant, await digests.ofCall(call)]))),
  );
}
