import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The module of a thread, beside the module that starts it: .ts in the repository, .js in the package. To be called when
 * a thread is started, since a bundle has no such files.
 * @param origin `import.meta.url` of the module that starts it; undefined in a bundle as CommonJS
 * @throws Error that says what to do, if the file is not there
 */
export function threadModule(origin: string | undefined, name: string): URL {
  const file = origin && new URL(`./${name}${origin.endsWith('.ts') ? '.ts' : '.js'}`, origin);
  if (!file || !existsSync(fileURLToPath(file)))
    throw new Error(
      `${name}.js, which runs in a thread, is not beside the program; leave sketchgrad out of the bundle (external)`,
    );
  return file;
}
