// The page of `sketchgrad serve`: the pad, and a search by POST. The browser computes nothing, so it needs no WebGPU.
import type { SearchAnswer } from '../../src/server/search-service.ts';
import { element, explain, nameElement, trouble } from '../src/page.ts';
import { sketchPad } from '../src/sketch.ts';

const SHOWN = 20;

const status = (...parts: (string | Node)[]): void => element('status').replaceChildren(...parts);
const results = element('results');

const pad = sketchPad('image/png,image/jpeg,image/webp', () => void searchLatest());

let changes = 0;
let searching = false;

/** Shows the nearest pictures; while one search is under way, only the latest sketch waits. */
async function searchLatest(): Promise<void> {
  changes++;
  if (searching) return;
  searching = true;
  results.ariaBusy = 'true';
  for (let done = 0; done !== changes; ) {
    const change = changes;
    done = change;
    const latest = (): boolean => changes === change;
    await showNearest(latest).catch((error: unknown) => {
      if (!latest()) return;
      status('The search did not work.');
      trouble(explain(error));
    });
  }
  searching = false;
  results.ariaBusy = 'false';
}

/** @param latest whether the answer is still to what is on the pad: another one is not shown */
async function showNearest(latest: () => boolean): Promise<void> {
  const sketch = await pad.file();
  if (sketch === undefined) {
    trouble();
    results.replaceChildren();
    element('times').textContent = '';
    status('Draw something.');
    return;
  }
  status('Searching …');
  const { neighbours, times } = await search(sketch);
  if (!latest()) return;
  trouble();
  results.replaceChildren(...neighbours.map(({ row, path, similarity }) => {
    const picture = Object.assign(new Image(), { className: 'thumbnail', alt: path, src: `pictures/${row}` });
    const score = Object.assign(document.createElement('span'), { className: 'score', textContent: ` ${similarity.toFixed(2)}` });
    const item = document.createElement('li');
    item.append(picture, nameElement(path), score);
    return item;
  }));
  element('times').textContent = `Times: ${Object.entries(times).map(([stage, milliseconds]) => `${stage} ${milliseconds.toFixed(1)} ms`).join(', ')}`;
  status('Nearest: ', nameElement(neighbours[0].path));
}

/** Asks the server, and once more where it is busy and says when to come back. */
async function search(sketch: Blob, again = true): Promise<SearchAnswer> {
  const response = await fetch(`search?k=${SHOWN}`, { method: 'POST', body: sketch });
  if (response.status === 503 && again) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get('retry-after') ?? 1)));
    return search(sketch, false);
  }
  const answer = (await response.json()) as SearchAnswer & { error?: string };
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

void fetch('about').then(async (response) => {
  const { pictures } = (await response.json()) as { pictures: number };
  element('collection').textContent = ` among ${pictures}`;
});
