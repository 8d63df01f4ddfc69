import { StoreError } from './store.ts';

/**
 * Imports an engine's client, which only those install who use it.
 * @throws StoreError that names the package and the command which installs it
 */
export async function optionalPackage<Module>(
  load: () => Promise<Module>,
  store: string,
  install: string,
): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new StoreError(`${store} needs a package that is not installed: npm install ${install}`, { cause });
  }
}
