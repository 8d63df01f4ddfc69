// Selects tests by name, which uvu does not: suites get a `test` and a `suite` that keep only the tests whose name
// contains SKETCHGRAD_TEST_NAME. scripts/test-worker.ts registers this module as a hook, which puts it in uvu's place.
import * as uvu from 'uvu';

/** The resolve hook of Node's `module.register`. */
export function resolve(specifier, context, next) {
  return specifier === 'uvu' && context.parentURL !== import.meta.url
    ? { url: import.meta.url, shortCircuit: true }
    : next(specifier, context);
}

const wanted = process.env.SKETCHGRAD_TEST_NAME ?? '';
const byName = (test) =>
  Object.assign((name, handler) => {
    if (name.includes(wanted)) test(name, handler);
  }, test);

export const test = byName(uvu.test);
export const suite = (...named) => byName(uvu.suite(...named));
