/** What several tabs with the page tell each other: that kept files have changed. */

/** The visitor's own pictures, or the model of the last training. */
export type KeptPart = 'pictures' | 'model';

const channel = new BroadcastChannel('sketchgrad kept files');

/** Tells the other tabs. */
export function tellTabs(part: KeptPart): void {
  channel.postMessage(part);
}

/** Hears of a change by another tab. */
export function hearTabs(part: KeptPart, listener: () => void): void {
  channel.addEventListener('message', ({ data }) => {
    if (data === part) listener();
  });
}
