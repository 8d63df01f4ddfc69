/** Options of many commands. */
import { ADAPTER_CHOICES } from '../../platform/adapter.ts';
import { TUNING_EFFORTS } from '../../tuning/records.ts';
import { choice, integer, toggle } from './kinds.ts';

/** Options of every command that computes. */
export const SHARED_OPTIONS = {
  adapter: choice(ADAPTER_CHOICES, {
    default: 'auto',
    changeable: true,
    help: 'The WebGPU adapter: auto is a hardware GPU, else an installed software driver, else SwiftShader from npm',
  }),
  debug: toggle({ help: 'Print the stack trace of an error', changeable: true }),
} as const;

/** Options of every command that runs a network. */
export const TUNING_OPTIONS = {
  tune: choice(TUNING_EFFORTS, {
    default: 'off',
    changeable: true,
    help: 'Measure the fastest variant of each kernel on this adapter, in at most 20 s (quick) or 15 minutes (full), and remember it; off uses what is known',
  }),
  deterministic: toggle({
    help: 'Ignore measurements and use the variants that kernels prefer on this kind of adapter. The same seed then gives the same weights before and after tuning',
  }),
} as const;

/** `--json` of the commands that print. */
export const JSON_OPTION = toggle({ help: 'Print JSON instead of text' });

/** `--per-class` of the commands that print about classes. */
export const PER_CLASS_OPTION = toggle({ help: 'Show each class as well' });

/** `--codes` of the commands that make binary codes. */
export const CODES_OPTION = integer({
  minimum: 1,
  maximum: 4095,
  help: 'Also store binary codes of this many bits (64 is usual), by which search can rank',
});

/** `--seed`; each command says what of. */
export const SEED_OPTION = integer({ minimum: 0, maximum: 2 ** 32 - 1, default: 0, help: 'Seed of random numbers' });

/** How activations are stored. */
export const PRECISION_OPTION = choice(['f32', 'f16'], {
  default: 'f32',
  help: 'Storage type of activations and gradients: f16 halves the memory and needs an adapter with 16-bit floats. Weights, sums and losses are f32',
});
