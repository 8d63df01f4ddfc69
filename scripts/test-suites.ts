import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A module that gives a suite its device; suites that import it run once for each software adapter. */
const DEVICE_MODULE = path.join('test', 'support', 'device.ts');

/** Every *.test.ts below test/, relative to the root, in alphabetical order. */
export function findSuites(root: string): string[] {
  return readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => path.join('test', file))
    .sort();
}

/** Whether a suite imports the test device, itself or through other modules of test/. */
export function needsDevice(root: string, suite: string): boolean {
  const device = path.join(root, DEVICE_MODULE);
  const seen = new Set<string>();
  const pending = [path.join(root, suite)];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (file === device) return true;
    if (seen.has(file) || !file.startsWith(path.join(root, 'test') + path.sep) || !existsSync(file)) continue;
    seen.add(file);
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
      pending.push(path.resolve(path.dirname(file), target));
    }
  }
  return false;
}
