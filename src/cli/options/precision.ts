/** How commands are told in what type activations are stored. */

import type { Device } from '../../gpu/device.ts';
import type { Precision } from '../../training/batch-input.ts';
import { choice, OptionError } from './option.ts';

export const PRECISION_OPTION = choice(['f32', 'f16'], {
  default: 'f32',
  help: 'How activations and gradients are stored: f16 takes half the memory and needs an adapter with 16-bit floats; weights, sums and losses are f32 either way',
});

/** @throws OptionError where the device cannot do it */
export function checkPrecision({ traits, description }: Device, precision: Precision): void {
  if (precision === 'f16' && traits.f16 !== true) {
    throw new OptionError(
      `--precision f16: ${description.device} has no 16-bit floats (shader-f16). Leave the flag out, or choose another --adapter`,
    );
  }
}
