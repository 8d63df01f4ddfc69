// What npm would publish, packed once in a run of the tests and unpacked into projects of their own.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onceInARun } from './run-folder.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const execute = promisify(execFile);

/** The path of the tarball. */
export async function packedPackage(): Promise<string> {
  const folder = await onceInARun('package', async (target) => {
    await execute('npm', ['pack', '--json', '--silent', '--pack-destination', target], { cwd: root });
  });
  const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  return path.join(folder, archive);
}

/** A project that has the package, with what npm would install along. */
export class PackageProject {
  private constructor(readonly folder: string) {}

  /** @param others packages that its user installs beside */
  static async make(...others: readonly string[]): Promise<PackageProject> {
    const archive = await packedPackage();
    const project = new PackageProject(await mkdtemp(path.join(tmpdir(), 'sketchgrad-package-')));
    await mkdir(project.at('node_modules'));
    await execute('tar', ['-xzf', archive, '-C', project.folder]);
    await rename(project.at('package'), project.at('node_modules', 'sketchgrad'));
    const { dependencies } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of [...Object.keys(dependencies), 'resolve-protobuf-schema', ...others])
      await symlink(path.join(root, 'node_modules', name), project.at('node_modules', name));
    await writeFile(project.at('package.json'), '{ "type": "module" }');
    return project;
  }

  at(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
