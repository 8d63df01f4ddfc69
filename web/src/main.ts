import { wrap } from 'comlink';
import { EmojiCollection, fetchOk, type Collection } from './collections.ts';
import type { Engine, ModelSummary } from './engine.ts';
import { ownPictures } from './own-pictures.ts';
import { element, explain, trouble } from './page.ts';
import { Searching } from './searching.ts';
import { sketchPad } from './sketch.ts';
import { TrainingView } from './training-view.ts';

const engine = wrap<Engine>(new Worker(new URL('./engine.worker.ts', import.meta.url), { type: 'module' }));
// For tests, which lose the device on purpose.
Object.assign(globalThis, { sketchgrad: engine });

const status = (text: string): void => void (element('status').textContent = text);
const searching = new Searching(engine, status);
const models: ModelSummary[] = [];
const collections: Collection[] = [];
const modelSelect = element<HTMLSelectElement>('model');
const collectionSelect = element<HTMLSelectElement>('collection');

const inUse = (): ModelSummary | undefined => models[modelSelect.selectedIndex];
const useSelected = (): void => searching.use(inUse(), collections[collectionSelect.selectedIndex]);
modelSelect.addEventListener('change', useSelected);
collectionSelect.addEventListener('change', useSelected);

/** Offers a model, and takes it into use. */
function offer(model: ModelSummary): void {
  const known = models.findIndex(({ checksum }) => checksum === model.checksum);
  if (known < 0) {
    models.push(model);
    modelSelect.add(new Option(`${model.name} (${(model.parameters / 1e6).toFixed(1)} M weights, ${model.imageSize} px)`));
  }
  modelSelect.selectedIndex = known < 0 ? models.length - 1 : known;
  modelSelect.disabled = false;
  useSelected();
}

function showCollections(): void {
  const selected = Math.max(0, collectionSelect.selectedIndex);
  collectionSelect.replaceChildren(...collections.map(({ title }) => new Option(title)));
  collectionSelect.selectedIndex = selected;
}

const pad = sketchPad('image/*', () => void searching.search(pad.empty ? undefined : pad.picture()));

const openInput = element<HTMLInputElement>('open-model');
openInput.addEventListener('change', () => {
  const file = openInput.files?.[0];
  openInput.value = '';
  if (file === undefined) return;
  trouble();
  void file
    .arrayBuffer()
    .then(async (bytes) => offer(await engine.openModel(new Uint8Array(bytes), file.name)))
    .catch((error: unknown) => trouble(explain(error)));
});

try {
  status('Loading …');
  const files = Promise.all([EmojiCollection.load(), bytesOf('./model.safetensors'), bytesOf('./index.safetensors')]);
  // Without an adapter nobody needs them, whatever becomes of them.
  files.catch(() => undefined);
  element('adapter').textContent = await engine.adapter();
  const [emoji, model, index] = await files;
  const summary = await engine.openModel(model, 'Emoji');
  collections.push(emoji);
  searching.provide(emoji, summary.checksum, (await engine.openIndex(summary.checksum, index, 'index.safetensors')).embeddings);
  const own = await ownPictures(engine, async (collection, onProgress) => {
    searching.invalidate(collection);
    showCollections();
    if (collection.names.length === 0) return;
    collectionSelect.selectedIndex = collections.indexOf(collection);
    const current = inUse();
    if (current !== undefined) await searching.embeddingsOf(collection, current, onProgress);
    useSelected();
  });
  collections.push(own);
  showCollections();
  new TrainingView(engine, inUse, () => pad.file(), offer, (training) => searching.wait(training ? 'The search waits until the training is paused or done.' : undefined));
  offer(summary);
  status('Getting ready …');
  // Compiles now what the first stroke will need.
  await engine.search(summary.checksum, { width: 1, height: 1, data: new Uint8Array(4).fill(255) }, new Float32Array(summary.dimension), 1);
  if (pad.empty) status('Draw something.');
  document.documentElement.dataset.ready = 'true';
} catch (error) {
  status('This page cannot search here.');
  trouble(`Nothing can be computed here: ${explain(error)}`);
  element('adapter').textContent = 'no graphics adapter';
  document.querySelector('main')?.toggleAttribute('inert', true);
}

async function bytesOf(address: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetchOk(address)).arrayBuffer());
}
