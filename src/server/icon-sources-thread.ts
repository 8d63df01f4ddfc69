// The thread of IconSources. It reads sets of up to 100 MB, which takes a second, and keeps some of them.
import { workerData } from 'node:worker_threads';
import { iconSvg, readIconSet, type Icon, type IconSetFiles } from '../../datasets/icon-sets.ts';
import { serveTasks } from '../platform/node/serve-tasks.ts';

export interface IconSourcesData {
  readonly files: ReadonlyMap<string, IconSetFiles>;
  /** Bytes of drawings that are kept at most, of more than one set. */
  readonly mostKept: number;
}

export interface SvgInput {
  readonly prefix: string;
  readonly name: string;
}

interface KeptSet {
  readonly icons: ReadonlyMap<string, Icon>;
  readonly size: number;
}

const { files, mostKept } = workerData as IconSourcesData;
/** By prefix, the one that was requested last at the end. */
const kept = new Map<string, KeptSet>();

async function setOf(prefix: string): Promise<KeptSet | undefined> {
  const found = files.get(prefix);
  if (found === undefined) return undefined;
  const set = kept.get(prefix) ?? (await read(found));
  kept.delete(prefix);
  kept.set(prefix, set);
  let size = [...kept.values()].reduce((sum, each) => sum + each.size, 0);
  for (const [oldest, each] of kept) {
    if (size <= mostKept || oldest === prefix) break;
    kept.delete(oldest);
    size -= each.size;
  }
  return set;
}

async function read(set: IconSetFiles): Promise<KeptSet> {
  const { icons } = await readIconSet(set);
  return {
    icons: new Map(icons.map((icon) => [icon.name, icon])),
    size: icons.reduce((sum, { body }) => sum + body.length, 0),
  };
}

serveTasks({
  async svg({ prefix, name }: SvgInput) {
    const icon = (await setOf(prefix))?.icons.get(name);
    return { output: icon && iconSvg(icon), transfer: [] };
  },
});
