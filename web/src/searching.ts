import { proxy, type Remote } from 'comlink';
import type { Collection } from './collections.ts';
import type { Engine, ModelSummary, Picture } from './engine.ts';
import { indexesOf, keep, readKept } from './kept-files.ts';
import { element, explain, trouble } from './page.ts';

const SHOWN = 20;

/** Searches the collection in use with the model in use, the latest sketch first. */
export class Searching {
  private model: ModelSummary | undefined;
  private collection: Collection | undefined;
  private readonly embeddings = new Map<string, Promise<Float32Array>>();
  private wanted: Picture | undefined;
  private running = false;
  private waiting: string | undefined;

  constructor(private readonly engine: Remote<Engine>, private readonly status: (text: string) => void) {}

  /** Embeddings that somebody has already, such as those that come with the page. */
  provide(collection: Collection, checksum: string, embeddings: Float32Array): void {
    this.embeddings.set(keyOf(collection, checksum), Promise.resolve(embeddings));
  }

  /** What changed in a collection makes its embeddings useless. */
  invalidate(collection: Collection): void {
    for (const key of this.embeddings.keys()) if (key.startsWith(`${collection.id} `)) this.embeddings.delete(key);
  }

  use(model: ModelSummary | undefined, collection: Collection | undefined): void {
    this.model = model;
    this.collection = collection;
    if (this.wanted !== undefined) void this.search(this.wanted);
  }

  /** Says why a search takes long, until there is no reason any more. */
  wait(reason: string | undefined): void {
    this.waiting = reason;
    if (reason !== undefined && this.running) this.status(reason);
  }

  /** Shows the nearest pictures; while one search is under way, only the latest sketch waits. */
  async search(query: Picture | undefined): Promise<void> {
    this.wanted = query;
    if (this.running) return;
    this.running = true;
    element('results').ariaBusy = 'true';
    try {
      let done: Picture | undefined;
      do {
        done = this.wanted;
        await this.searchOnce(done);
      } while (this.wanted !== done);
    } finally {
      this.running = false;
      element('results').ariaBusy = 'false';
    }
  }

  /** The embeddings of a collection by a model: those at hand, those of an earlier visit, or new ones. */
  embeddingsOf(collection: Collection, model: ModelSummary, onProgress?: (done: number, total: number) => void): Promise<Float32Array> {
    const key = keyOf(collection, model.checksum);
    let found = this.embeddings.get(key);
    if (found === undefined) {
      found = this.readOrEmbed(collection, model, onProgress);
      this.embeddings.set(key, found);
      found.catch(() => this.embeddings.delete(key));
    }
    return found;
  }

  private async readOrEmbed(collection: Collection, model: ModelSummary, onProgress?: (done: number, total: number) => void): Promise<Float32Array> {
    const path = `${indexesOf(collection.id)}/${model.checksum.slice(0, 16)}.safetensors`;
    const kept = await readKept(path);
    if (kept !== undefined) {
      const index = await this.engine.openIndex(model.checksum, new Uint8Array(await kept.arrayBuffer()), 'the kept index').catch(() => undefined);
      if (index !== undefined && JSON.stringify(index.paths) === JSON.stringify(collection.names)) return index.embeddings;
    }
    const pictures = collection.names.map((name, index) => ({ name, picture: collection.picture(index) }));
    const { embeddings } = await this.engine.embed(model.checksum, pictures, onProgress && proxy(onProgress));
    await keep(path, await this.engine.saveIndex(model.checksum, embeddings, collection.names));
    return embeddings;
  }

  private async searchOnce(query: Picture | undefined): Promise<void> {
    const { model, collection } = this;
    const [list, times] = [element('results'), element('times')];
    if (query === undefined || model === undefined || collection === undefined) {
      list.replaceChildren();
      times.textContent = '';
      this.status(model === undefined ? 'Loading …' : 'Draw something.');
      return;
    }
    try {
      if (collection.names.length === 0) {
        list.replaceChildren();
        this.status('There are no pictures of your own yet.');
        return;
      }
      const embeddings = await this.embeddingsOf(collection, model, (done, total) => this.status(`Embedding the pictures by this model: ${done} of ${total}`));
      this.status(this.waiting ?? 'Searching …');
      const found = await this.engine.search(model.checksum, query, embeddings, SHOWN);
      list.replaceChildren(...found.results.map(({ index, score }) => item(collection, index, score)));
      const stages = Object.entries(found.times).map(([stage, milliseconds]) => `${stage} ${milliseconds.toFixed(1)} ms`);
      times.textContent = `Times: ${stages.join(', ')}`;
      this.status(`Nearest of ${collection.names.length}: ${collection.names[found.results[0].index]}`);
      trouble();
    } catch (error) {
      this.status('The search did not work.');
      trouble(explain(error));
    }
  }
}

const keyOf = ({ id }: Collection, checksum: string): string => `${id} ${checksum}`;

function item(collection: Collection, index: number, score: number): HTMLLIElement {
  const entry = document.createElement('li');
  const name = document.createElement('span');
  name.textContent = collection.names[index];
  const similarity = document.createElement('span');
  similarity.className = 'score';
  similarity.textContent = ` ${score.toFixed(2)}`;
  entry.append(collection.thumbnail(index), name, similarity);
  return entry;
}
