/** What a checkpoint says of the run that wrote it, and whether that run can go on. */
import type { Choices } from '../autodiff/variant-selector.ts';
import { isJsonObject } from '../formats/untrusted.ts';
import { CheckpointError, type Json, type ModelFile } from '../models/model-file.ts';

/**
 * @throws CheckpointError that lists every setting in which a checkpoint differs from the run that is to go on from it
 */
export function requireSameRun(
  { file, name }: { readonly file: ModelFile; readonly name: string },
  now: { readonly settings: Json; readonly data: Json },
): void {
  if (file.about.settings === undefined || file.moments.size === 0) {
    throw new CheckpointError(
      `${name} holds a model for use, and no state of a training; start a new training from its weights instead (--weights)`,
    );
  }
  const before = { settings: file.about.settings, data: file.about.data ?? null };
  // Earlier versions did not look into the pictures.
  const unknown = isJsonObject(before.data) && before.data.contents !== undefined ? [] : ['data.contents'];
  const lines = differences(before, now, ['data.name', ...unknown]);
  if (lines.some((line) => line.startsWith('data.contents:')))
    lines.push('(the contents of the pictures are other ones: some were changed or replaced under their old names)');
  if (lines.length > 0) {
    throw new CheckpointError(
      `${name} was trained otherwise, so it cannot be resumed as it was (start a new training from its weights instead, with --weights):\n  ${lines.join('\n  ')}`,
    );
  }
}

/** The parts that a batch came in when this checkpoint was written. */
export const partsIn = (file: ModelFile | undefined): number | undefined =>
  file === undefined ? undefined : typeof file.about.microBatches === 'number' ? file.about.microBatches : 1;

/** @throws CheckpointError where a batch should come in other parts than before, which gives other numbers */
export function requireSameParts(
  { file, name }: { readonly file: ModelFile; readonly name: string },
  microBatches: number | undefined,
): void {
  const before = partsIn(file);
  if (microBatches === undefined || microBatches === before) return;
  throw new CheckpointError(
    `${name} was trained with its batch in ${before} ${before === 1 ? 'part' : 'parts'}, and ${microBatches} would give other numbers; leave --accumulate out, or start a new training from its weights (--weights)`,
  );
}

/**
 * Where two descriptions differ, a line each, such as "losses.margin: 0.2 then, 0.5 now". @param ignored keys that do
 * not matter
 */
export function differences(before: Json, after: Json, ignored: readonly string[] = []): string[] {
  const [then, now] = [flatten(before), flatten(after)];
  const keys = [...new Set([...then.keys(), ...now.keys()])].filter(
    (key) => !ignored.includes(key) && then.get(key) !== now.get(key),
  );
  return keys.map((key) => `${key}: ${then.get(key) ?? 'nothing'} then, ${now.get(key) ?? 'nothing'} now`);
}

function flatten(value: Json, prefix = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[prefix, JSON.stringify(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [...flatten(inner, prefix === '' ? key : `${prefix}.${key}`)]),
  );
}

/** The variants that a run was begun with. They are what makes its numbers the same again to the last bit. */
export function choicesIn(file: ModelFile | undefined): Choices {
  const variants = file?.about.variants;
  if (typeof variants !== 'object' || variants === null || Array.isArray(variants)) return new Map();
  return new Map(Object.entries(variants).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** The best validation of a run so far. */
export interface BestValidation {
  readonly stepsDone: number;
  readonly mapAll: number;
}

/** The best validation before this checkpoint was written; null where there was none. */
export function bestIn(file: ModelFile | undefined): BestValidation | null {
  const best = file?.about.best;
  if (typeof best !== 'object' || best === null || !('mapAll' in best)) return null;
  const { stepsDone, mapAll } = best;
  return typeof stepsDone === 'number' && typeof mapAll === 'number' ? { stepsDone, mapAll } : null;
}
