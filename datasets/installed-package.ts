/** Finds the npm packages that a data set is read from. A project installs them itself. */
import { stat } from 'node:fs/promises';
import path from 'node:path';

/** The node_modules of a folder and of those above it, the nearest first. */
export function* nodeModulesAbove(folder: string): Generator<string> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    yield path.join(at, 'node_modules');
    if (at === path.dirname(at)) return;
  }
}

/**
 * The folder of an installed package, or undefined if it is not installed.
 * @param folder where the search begins; it continues in the folders above
 */
export async function packageFolder(name: string, folder: string): Promise<string | undefined> {
  for (const modules of nodeModulesAbove(folder)) {
    const found = path.join(modules, name);
    if (
      await stat(found).then(
        (entry) => entry.isDirectory(),
        () => false,
      )
    )
      return found;
  }
  return undefined;
}
