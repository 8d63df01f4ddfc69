// The page of `sketchgrad serve`: the pad, and a search by POST. The browser computes nothing, so it needs no WebGPU.
import type { FoundIcon, IconSearchAnswer } from '../../src/server/icon-search-service.ts';
import type { Neighbour, SearchAnswer } from '../../src/server/search-service.ts';
import { offerFilters } from '../src/icon-filters.ts';
import { element, explain, nameElement, trouble } from '../src/page.ts';
import { PenPreview } from '../src/pen-preview.ts';
import { sketchPad } from '../src/sketch.ts';
import { filterParameters, iconItem, type AboutIcons } from './icons.ts';

const SHOWN = 20;

const status = (...parts: (string | Node)[]): void => element('status').replaceChildren(...parts);
const results = element('results');

/** The row whose like is searched, until something is drawn. */
let liked: number | undefined;
let changes = 0;
let searching = false;
/** Whether the pen moves: what is found is shown, and only the answer after it is announced. */
let previewing = false;

const penPreview = new PenPreview(
  () => {
    previewing = true;
    liked = undefined;
    void searchLatest();
  },
  () => searching,
);
const pad = sketchPad(
  'image/png,image/jpeg,image/webp',
  () => {
    penPreview.end();
    previewing = false;
    liked = undefined;
    void searchLatest();
  },
  () => penPreview.move(),
);

/** Shows the nearest pictures; while one search is under way, only the latest sketch waits. */
async function searchLatest(): Promise<void> {
  changes++;
  // Several answers a second would be no use to those who hear them.
  element('status').ariaLive = previewing ? 'off' : 'polite';
  if (searching) return;
  searching = true;
  results.ariaBusy = 'true';
  for (let done = 0; done !== changes;) {
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
  penPreview.resume();
}

/** @param latest whether the answer is still to what is on the pad: another one is not shown */
async function showNearest(latest: () => boolean): Promise<void> {
  const sketches = await pad.files();
  if (sketches.length === 0 && liked === undefined) {
    trouble();
    results.replaceChildren();
    element('times').textContent = '';
    status('Draw something.');
    return;
  }
  if (!previewing) status('Searching …');
  const { nothingLike, neighbours, times } = await search(sketches);
  if (!latest()) return;
  trouble();
  results.replaceChildren(
    ...neighbours.map((neighbour) => {
      const item = 'icon' in neighbour ? iconItem(neighbour) : pictureItem(neighbour);
      item.append(likeButton(neighbour));
      return item;
    }),
  );
  element('times').textContent = `Times: ${Object.entries(times)
    .map(([stage, milliseconds]) => `${stage} ${milliseconds.toFixed(1)} ms`)
    .join(', ')}`;
  if (nothingLike || neighbours.length === 0) status('There is nothing like this here.');
  else status('Nearest: ', nameElement('icon' in neighbours[0] ? neighbours[0].icon : neighbours[0].path));
}

function pictureItem({ row, path, similarity, belowCutOff = false }: Neighbour): HTMLLIElement {
  const picture = Object.assign(new Image(), { className: 'thumbnail', alt: path, src: `pictures/${row}` });
  const score = Object.assign(document.createElement('span'), {
    className: 'score',
    textContent: ` ${similarity.toFixed(2)}${belowCutOff ? ', unlike' : ''}`,
  });
  const item = document.createElement('li');
  item.classList.toggle('below', belowCutOff);
  item.append(picture, nameElement(path), score);
  return item;
}

/** Searches for what is like a result. */
function likeButton(neighbour: Neighbour | FoundIcon): HTMLElement {
  const button = Object.assign(document.createElement('button'), {
    type: 'button',
    textContent: 'More like this',
    ariaLabel: `More like this: ${'icon' in neighbour ? neighbour.icon : neighbour.path}`,
  });
  button.addEventListener('click', () => {
    liked = neighbour.row;
    previewing = false;
    void searchLatest();
  });
  const row = Object.assign(document.createElement('div'), { className: 'copies' });
  row.append(button);
  return row;
}

interface Answer extends Pick<SearchAnswer & IconSearchAnswer, 'nothingLike' | 'times'> {
  readonly neighbours: readonly (Neighbour | FoundIcon)[];
}

/** Asks the server, and once more where it is busy and says when to come back. */
async function search(sketches: readonly Blob[], again = true): Promise<Answer> {
  const parameters = filterParameters();
  parameters.set('k', String(SHOWN));
  if (liked !== undefined) parameters.set('like', String(liked));
  const response = await fetch(
    `search?${parameters}`,
    liked === undefined ? { method: 'POST', body: sketches.length === 1 ? sketches[0] : formOf(sketches) } : undefined,
  );
  if (response.status === 503 && again) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get('retry-after') ?? 1)));
    return search(sketches, false);
  }
  const answer = (await response.json()) as Answer & { error?: string };
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

/** Sketches that search together. */
function formOf(sketches: readonly Blob[]): FormData {
  const form = new FormData();
  sketches.forEach((sketch, index) => form.append('sketch', sketch, `sketch-${index + 1}`));
  return form;
}

void fetch('about').then(async (response) => {
  const about = (await response.json()) as { readonly pictures: number } | AboutIcons;
  if ('pictures' in about) {
    element('collection').textContent = ` among ${about.pictures}`;
    return;
  }
  element('collection').textContent = ` among ${about.icons} icons of ${about.sets.length} sets`;
  element('found-title').textContent = 'Nearest icons';
  results.ariaLabel = 'Nearest icons, best first';
  offerFilters(about, () => void searchLatest());
  element('filters').hidden = false;
});
