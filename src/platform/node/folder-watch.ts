/**
 * Hears of changes in a folder and the folders in it, through the npm package @parcel/watcher, which needs one watch of
 * the system a folder. chokidar and Node's recursive fs.watch need one a file on Linux, where their number is limited.
 */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { BoundedError } from '../../formats/untrusted.ts';

/** A folder cannot be watched. */
export class WatchError extends BoundedError {
  override readonly name = 'WatchError';
}

/** Changes of one burst, such as files that are being copied, are told together: */
export interface WatchTimes {
  /** once nothing has happened for so long; */
  readonly quiet: number;
  /** or, if it does not end, after this time. */
  readonly longest: number;
}

const TIMES: WatchTimes = { quiet: 300, longest: 3000 };

/**
 * @param onChanges hears of paths from the folder, of files and of folders, that came, went or changed; undefined if
 * changes were lost and anything may have changed
 * @returns ends it
 * @throws WatchError if the package is not installed, or the system refuses
 */
export async function watchFolder(
  folder: string,
  onChanges: (paths: readonly string[] | undefined) => void,
  { quiet, longest }: WatchTimes = TIMES,
): Promise<() => Promise<void>> {
  const watcher = await import('@parcel/watcher').catch((cause: unknown) => {
    throw new WatchError('folders are watched by the npm package @parcel/watcher. Run `npm install @parcel/watcher`.', {
      cause,
    });
  });
  const root = await realpath(folder);
  const changed = new Set<string>();
  let isLost = false;
  let first = 0;
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    timer = undefined;
    const paths = isLost ? undefined : [...changed];
    changed.clear();
    isLost = false;
    onChanges(paths);
  };
  const subscription = await watcher
    .subscribe(root, (error, events) => {
      if (error !== null) isLost = true;
      else for (const { path: file } of events) changed.add(path.relative(root, file));
      const now = performance.now();
      if (timer === undefined) first = now;
      clearTimeout(timer);
      timer = setTimeout(tell, Math.max(0, Math.min(quiet, first + longest - now)));
      timer.unref();
    })
    .catch((cause: Error) => {
      throw new WatchError(`${folder} cannot be watched: ${cause.message}`, { cause });
    });
  return async () => {
    clearTimeout(timer);
    await subscription.unsubscribe();
  };
}
