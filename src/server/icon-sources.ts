import type { IconSetFiles } from '../../datasets/icon-sets.ts';
import { iconRow, type IconIndex } from '../retrieval/icon-index.ts';
import type { IconSourcesData, SvgInput } from './icon-sources-thread.ts';
import { WorkerThreads } from '../platform/node/worker-threads.ts';
import { threadModule } from '../platform/node/thread-module.ts';

/** Bytes of drawings that are kept in memory at most: about half of all sets. */
const MOST_KEPT = 2 ** 28;

/**
 * The drawings of an index's icons, from the installed sets. They are requested by set and name. Names that the index
 * does not have are refused, and no name becomes part of a path.
 */
export class IconSources {
  private readonly thread: WorkerThreads;

  /** @param files of the installed sets, by prefix (`findIconSets`) */
  constructor(
    private readonly index: IconIndex,
    files: ReadonlyMap<string, IconSetFiles>,
  ) {
    this.thread = new WorkerThreads(
      threadModule(import.meta.url, 'icon-sources-thread'),
      { files, mostKept: MOST_KEPT } satisfies IconSourcesData,
      1,
    );
  }

  /**
   * An icon as an SVG document; undefined where the index has no such icon, or its set is not installed or has it no
   * more.
   */
  async svg(prefix: string, name: string): Promise<string | undefined> {
    if (iconRow(this.index, prefix, name) === undefined) return undefined;
    return this.thread.run<string | undefined>('svg', { prefix, name } satisfies SvgInput);
  }

  /** Ends its work. */
  close(): Promise<void> {
    return this.thread.close();
  }
}
