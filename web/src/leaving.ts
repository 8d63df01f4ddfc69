/** The visitor is asked before leaving the page while something would be lost. */

let underWay = 0;
let persisted = false;

/** Asks before leaving until the work has ended. */
export async function askBeforeLeaving<Result>(work: () => Promise<Result>): Promise<Result> {
  if (underWay++ === 0) addEventListener('beforeunload', ask);
  try {
    return await work();
  } finally {
    if (--underWay === 0) removeEventListener('beforeunload', ask);
  }
}

/** Does what stores files. Before the first of them, the browser is requested not to delete them when it needs room. */
export function storing<Result>(work: () => Promise<Result>): Promise<Result> {
  if (!persisted) {
    persisted = true;
    // The answer changes nothing: what is not persisted is kept as long as there is room.
    navigator.storage.persist().catch(() => undefined);
  }
  return askBeforeLeaving(work);
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
