/** What a resumed run keeps of the options that it was begun with. */
import type { Json } from '../../models/model-file.ts';
import { OptionError, optionName, resolveOptions } from '../options/option.ts';
import { TRAIN_OPTIONS, type TrainValues } from '../options/training.ts';

/** On resuming, the checkpoint's options replace the defaults, and only some may be changed. */
export function resolveResumed(
  given: Readonly<Record<string, unknown>>,
  stored: Json | undefined,
  checkpoint: string | undefined,
): TrainValues {
  const before: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(typeof stored === 'object' && stored !== null ? stored : {})) {
    const option = key in TRAIN_OPTIONS ? TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS] : undefined;
    if (option === undefined) continue;
    before[key] = option.check(value, `${checkpoint}, ${optionName(key)}`);
    if (!option.changeable && given[key] !== undefined && given[key] !== value) {
      throw new OptionError(
        `--${optionName(key)} ${String(given[key])}: the run was begun with ${String(value)}, and a resumed run keeps its settings. Leave the flag out, or start a new run from these weights with --weights ${checkpoint}`,
      );
    }
  }
  return resolveOptions(TRAIN_OPTIONS, given, before);
}

/**
 * What a resumed run needs to know of this one's options: what must stay, and what stays unless another value is given.
 */
export function storedOptions(options: TrainValues): Json {
  const stored = Object.entries(options).filter(([key, value]) => {
    const { changeable, remembered } = TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS];
    return value !== undefined && (!changeable || remembered);
  });
  return Object.fromEntries(stored) as Record<string, Json>;
}
