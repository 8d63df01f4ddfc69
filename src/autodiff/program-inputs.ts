import { hostValues, type HostValues } from '../gpu/host-values.ts';
import { checkIndices } from './indices.ts';
import type { IndexCheck } from './plan-types.ts';
import { describe, ShapeError, type Tensor } from './tensor.ts';

/**
 * Values of a program's inputs, by name. Their types are those of the inputs, or are converted by value (see
 * HostValues). They are copied at the call: as soon as `run`, `submit` or `profile` has returned its promise, the
 * caller may write the arrays again.
 */
export type Feeds = Readonly<Record<string, HostValues>>;

/** The inputs of a program: what is fed is checked, converted and written to their buffers. */
export class ProgramInputs {
  constructor(
    private readonly device: GPUDevice,
    private readonly inputs: ReadonlyMap<string, { readonly tensor: Tensor; readonly buffer: GPUBuffer }>,
    private readonly indexChecks: readonly IndexCheck[],
  ) {}

  /**
   * What to write to each input. @throws ShapeError where the feeds do not fit, IndexError where indices are out of
   * range
   */
  valuesOf(feeds: Feeds, copy = false): ReadonlyMap<string, ArrayBufferView<ArrayBuffer>> {
    const values = new Map<string, ArrayBufferView<ArrayBuffer>>();
    for (const [name, { tensor }] of this.inputs) {
      const given = feeds[name];
      const refuse = (why: string): never => {
        throw new ShapeError(`input ${describe(tensor)} ${why}`);
      };
      if (given === undefined) throw new ShapeError(`no value was given for input ${describe(tensor)}`);
      const words = hostValues(given, tensor.type === 'u32' ? 'u32' : 'f32', tensor.length, refuse, copy);
      for (const check of this.indexChecks) if (check.indices === tensor) checkIndices(check, words);
      values.set(name, words);
    }
    for (const name of Object.keys(feeds)) {
      if (!this.inputs.has(name))
        throw new ShapeError(
          `the program has no input called ${name}; its inputs are ${[...this.inputs.keys()].join(', ')}`,
        );
    }
    return values;
  }

  /** Writes the inputs, but for those that are staged. */
  write(values: ReturnType<ProgramInputs['valuesOf']>, staged: readonly string[] = []): void {
    for (const [name, { buffer }] of this.inputs) {
      if (!staged.includes(name))
        this.device.queue.writeBuffer(buffer, 0, values.get(name) as ArrayBufferView<ArrayBuffer>);
    }
  }
}
