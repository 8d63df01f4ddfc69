import { proxy, wrap } from 'comlink';
import { EmojiCollection, type AbsentCollection, type Collection, type PictureCollection } from './collections.ts';
import { CollectionView } from './collection-view.ts';
import { Embeddings } from './embeddings.ts';
import type { Engine } from './engine.ts';
import type { ModelSummary } from './open-models.ts';
import { describeDownload, Downloads } from './fetching.ts';
import iconCounts from './icon-counts.json' with { type: 'json' };
import { invite } from './invitation.ts';
import { OwnPictures } from './own-pictures.ts';
import { keepPage } from './page-files.ts';
import { element, explain, isolated, PICTURE_TYPES, trouble } from './page.ts';
import { PictureDialog } from './picture-dialog.ts';
import type { Query } from './pictures.ts';
import { Searching } from './searching.ts';
import { sketchPad } from './sketch.ts';
import { offerTracing } from './tracing.ts';
import { TrainingView } from './training-view.ts';

const [MODEL, INDEX] = ['model.safetensors', 'index.safetensors'];

let failed = false;
/** After a failure nothing else is told. */
const status = (...parts: (string | Node)[]): void => {
  if (!failed) element('status').replaceChildren(...parts);
};
const worker = new Worker(new URL('./engine.worker.ts', import.meta.url), { type: 'module' });
/** Calls to a worker that did not start are never answered. */
const workerFailed = new Promise<never>((_, reject) => {
  worker.addEventListener('error', ({ message }) => {
    reject(new Error(`the page's worker, engine.worker, cannot be loaded or started${message ? `: ${message}` : ''}`));
  });
});
const engine = wrap<Engine>(worker);
// For tests, which lose the device on purpose.
Object.assign(globalThis, { sketchgrad: engine });

const embeddings = new Embeddings(engine);
const pictures = new PictureDialog(
  (collection, index) => searching.searchLike(collection, index),
  (collection, index) => void trace(collection, index),
);
const searching = new Searching(engine, embeddings, pictures, status);
const models: ModelSummary[] = [];
const collections: (Collection | AbsentCollection)[] = [];
const modelSelect = element<HTMLSelectElement>('model');
const collectionSelect = element<HTMLSelectElement>('collection');

const inUse = (): ModelSummary | undefined => models[modelSelect.selectedIndex];
const selected = (): Collection | AbsentCollection | undefined => collections[collectionSelect.selectedIndex];
/** Searches by what is selected; a collection that is absent is fetched first. */
function useSelected(): void {
  const collection = selected();
  const present = collection?.kind === 'absent' ? undefined : collection;
  element('filters').hidden = present?.kind !== 'indexed';
  // Twenty thousand drawings are no list to look through.
  for (const id of ['browse', 'browse-invited'])
    element(id).hidden = collection !== undefined && collection.kind !== 'pictures';
  searching.use(inUse(), present);
  if (collection?.kind === 'absent') void fetchSelected(collection);
}

async function fetchSelected(absent: AbsentCollection): Promise<void> {
  status(`Loading ${absent.title} …`);
  try {
    const fetched = await absent.load();
    const place = collections.indexOf(absent);
    if (place < 0) return;
    collections[place] = fetched;
    if (collectionSelect.selectedIndex === place) useSelected();
  } catch (error) {
    trouble(explain(error));
    if (selected() !== absent) return;
    collectionSelect.selectedIndex = 0;
    useSelected();
  }
}
/**
 * Counts the choices of a model: a file that was chosen earlier and takes longer to open is offered, and not taken into
 * use.
 */
let modelChoices = 0;
modelSelect.addEventListener('change', () => {
  modelChoices++;
  useSelected();
});
collectionSelect.addEventListener('change', useSelected);

/** Offers a model. @param use whether to take it into use */
function offer(model: ModelSummary, use = true): void {
  let place = models.findIndex(({ checksum }) => checksum === model.checksum);
  if (place < 0) {
    place = models.push(model) - 1;
    modelSelect.add(
      new Option(`${isolated(model.name)} (${(model.parameters / 1e6).toFixed(1)} M weights, ${model.imageSize} px)`),
    );
  }
  modelSelect.disabled = false;
  if (!use) return;
  modelChoices++;
  modelSelect.selectedIndex = place;
  useSelected();
}

function showCollections(): void {
  const place = Math.max(0, collectionSelect.selectedIndex);
  collectionSelect.replaceChildren(...collections.map(({ title }) => new Option(title)));
  collectionSelect.selectedIndex = place;
}

/** The icons: index and code are fetched when they are chosen first. */
function absentIcons(): AbsentCollection {
  const title = `${iconCounts.icons} icons of ${iconCounts.sets} sets`;
  let loading: Promise<Collection> | undefined;
  const load = async (): Promise<Collection> => {
    const { IconCollection } = await import('./icon-collection.ts');
    const onProgress = (bytes: number, total?: number): void => {
      if (selected() === icons) status(`Loading ${title}: ${describeDownload(bytes, total)}`);
    };
    return IconCollection.load(engine, title, onProgress, useSelected);
  };
  const icons: AbsentCollection = {
    kind: 'absent',
    title,
    load() {
      loading ??= load();
      // The next choice tries again.
      loading.catch(() => (loading = undefined));
      return loading;
    },
  };
  return icons;
}

const query = (): Query | undefined => pad.query();
const pad = sketchPad(
  PICTURE_TYPES,
  () => searching.search(query()),
  () => searching.preview(query),
);
const trace = offerTracing(pad);
invite(pad);
// For tests, which compare what the pad holds.
Object.assign(globalThis, { sketchgradPad: pad });

const openInput = element<HTMLInputElement>('open-model');
openInput.addEventListener('change', () => {
  const file = openInput.files?.[0];
  openInput.value = '';
  if (file === undefined) return;
  trouble();
  const choice = ++modelChoices;
  void file
    .arrayBuffer()
    .then(async (bytes) => {
      const model = await engine.openModel(new Uint8Array(bytes), file.name);
      offer(model, choice === modelChoices);
    })
    .catch((error: unknown) => trouble(explain(error)));
});

/** Tells how far a part of the start is. @param total undefined where it is not known */
function step(text: string, done?: number, total?: number): void {
  status(text);
  const progress = element<HTMLProgressElement>('start-progress');
  if (done === undefined || total === undefined) progress.removeAttribute('value');
  else [progress.max, progress.value] = [total, done];
}

async function start(): Promise<void> {
  status('Loading …');
  let compiling: (text: string, done: number, total: number) => void = () => undefined;
  const downloads = new Downloads([...EmojiCollection.files, MODEL, INDEX], (bytes, total) =>
    step(`Loading … ${describeDownload(bytes, total)}`, bytes, total),
  );
  // The model is read while the adapter starts: both take a good part of a visit that downloads nothing.
  const files = Promise.all([
    EmojiCollection.load(downloads),
    downloads.fetch(MODEL).then((bytes) => engine.openModel(bytes, 'Emoji')),
    downloads.fetch(INDEX),
  ]);
  // Without an adapter they are not needed, whatever becomes of them.
  files.catch(() => undefined);
  element('adapter').textContent = await engine.adapter().catch((error: unknown) => {
    element('adapter').textContent = 'no graphics adapter';
    throw error;
  });
  const [emoji, summary, index] = await files;
  await engine.watchCompiling(
    proxy((done, total) => compiling(`Compiling: ${done} of ${total} pipelines`, done, total)),
  );
  embeddings.provide(emoji, summary.checksum, (await engine.openIndex(summary.checksum, index, INDEX)).embeddings);
  step('Getting ready …');
  compiling = step;
  // Compiles now what the first stroke will need.
  await engine.search(
    summary.checksum,
    { width: 1, height: 1, data: new Uint8Array(4).fill(255) },
    new Float32Array(summary.dimension),
    1,
  );

  const view = new CollectionView(pictures);
  const own = await OwnPictures.open(engine, embeddings, inUse, (collection, use) => {
    collections[1] = collection;
    view.update(collection);
    showCollections();
    if (use) collectionSelect.selectedIndex = 1;
    useSelected();
  });
  collections.push(emoji, own.collection, absentIcons());
  showCollections();
  const training = new TrainingView(
    engine,
    inUse,
    () => pad.file(),
    offer,
    (busy) => searching.wait(busy ? 'The search waits until the training is paused or done.' : undefined),
  );
  compiling = (text) => [searching, own, training].forEach((view) => view.tell(text));
  for (const id of ['browse', 'browse-invited']) {
    const opener = element<HTMLButtonElement>(id);
    opener.disabled = false;
    opener.addEventListener('click', () => view.open(selected() as PictureCollection));
  }
  element('own-browse').addEventListener('click', () => view.open(own.collection));
  offer(summary);
  element('start-progress').hidden = true;
  document.documentElement.dataset.ready = 'true';
  // Not while the visitor waits for the first search.
  await keepPage(downloads.files);
  document.documentElement.dataset.kept = 'true';
}

function fail(error: unknown): void {
  element('start-progress').hidden = true;
  status('This page cannot search here.');
  failed = true;
  trouble(`Nothing can be computed here: ${explain(error)}`);
  // Not all of main: screen readers find the way by it.
  for (const section of document.querySelectorAll('section')) section.inert = true;
}

// A worker can fail at any time.
workerFailed.catch(fail);
await Promise.race([start(), workerFailed]).catch(fail);
