/** Options of many commands. */
import { ADAPTER_CHOICES } from '../../platform/adapter.ts';
import { TUNING_EFFORTS } from '../../tuning/records.ts';
import { choice, integer, toggle } from './kinds.ts';

/** Options of every command that computes. */
export const SHARED_OPTIONS = {
  adapter: choice(ADAPTER_CHOICES, {
    default: 'auto',
    changeable: true,
    help: 'What computes: auto takes a hardware GPU, else an installed software driver, else SwiftShader from npm',
  }),
  debug: toggle({ help: 'Show where in the program an error arose', changeable: true }),
} as const;

/** Options of every command that runs a network. */
export const TUNING_OPTIONS = {
  tune: choice(TUNING_EFFORTS, {
    default: 'off',
    changeable: true,
    help: 'Measure which variant of each kernel is fastest on this adapter, in 20 s at most or in 15 minutes at most, and keep that for later; off goes by what is known',
  }),
  deterministic: toggle({
    help: 'Take the variants that kernels prefer on this kind of adapter, whatever was measured: the same seed then gives the same weights before and after a tuning',
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
  help: 'Binary codes of so many bits as well (64 is usual), by which search can rank',
});

/** `--seed`; each command says what of. */
export const SEED_OPTION = integer({ minimum: 0, maximum: 2 ** 32 - 1, default: 0, help: 'Seed of random numbers' });

/** How activations are stored. */
export const PRECISION_OPTION = choice(['f32', 'f16'], {
  default: 'f32',
  help: 'How activations and gradients are stored: f16 takes half the memory and needs an adapter with 16-bit floats; weights, sums and losses are f32 either way',
});
