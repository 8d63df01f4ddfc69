import { classKey } from '../data/class-names.ts';
import type { State, StateTensor } from '../nn/state.ts';

/** Tensors of a retrieval network that have a row for each class. */
const CLASSIFIER = ['classifier.weight', 'classifier.bias'];

/**
 * The classifier of other classes: rows of classes that the starting weights know, whatever the spelling and the order,
 * come from there; the others stay as they were drawn. So a training can go on with classes added and removed.
 *
 * @param drawn the network's state before any weights were loaded
 * @param classes of the network, in the order of its rows
 * @param known of the starting weights, in the order of theirs
 * @returns the tensors that both have, with as many of their rows known as `count` says
 */
export function knownRows(
  drawn: State,
  classes: readonly string[],
  start: State,
  known: readonly string[],
): { readonly state: Map<string, StateTensor>; readonly count: number } {
  const rowOf = new Map(known.map((name, row) => [classKey(name), row]));
  const state = new Map<string, StateTensor>();
  for (const name of CLASSIFIER) {
    const [to, from] = [drawn.get(name), start.get(name)];
    if (to === undefined || from === undefined || from.shape[0] !== known.length || to.shape[1] !== from.shape[1])
      continue;
    const width = to.shape[1] ?? 1;
    const values = to.values.slice();
    classes.forEach((className, row) => {
      const source = rowOf.get(classKey(className));
      if (source !== undefined) values.set(from.values.subarray(source * width, (source + 1) * width), row * width);
    });
    state.set(name, { shape: to.shape, values });
  }
  return { state, count: state.size === 0 ? 0 : classes.filter((className) => rowOf.has(classKey(className))).length };
}
