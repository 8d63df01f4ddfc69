import type { Remote } from 'comlink';
import type { Collection } from './collections.ts';
import type { Embeddings } from './embeddings.ts';
import type { Engine, ModelSummary } from './engine.ts';
import { element, explain, nameElement, trouble } from './page.ts';
import type { Picture } from './pictures.ts';

const SHOWN = 20;

/** Shows the nearest pictures for what is on the pad. The answer is always that of the latest sketch, model and collection. */
export class Searching {
  private model: ModelSummary | undefined;
  private collection: Collection | undefined;
  private query: Picture | undefined;
  /** Counts the changes of any of the three: an answer to an earlier state is not shown. */
  private changes = 0;
  private running = false;
  private waiting: string | undefined;

  constructor(private readonly engine: Remote<Engine>, private readonly embeddings: Embeddings, private readonly status: (...parts: (string | Node)[]) => void) {}

  use(model: ModelSummary | undefined, collection: Collection | undefined): void {
    this.model = model;
    this.collection = collection;
    void this.answer();
  }

  search(query: Picture | undefined): void {
    this.query = query;
    void this.answer();
  }

  /** Says why a search takes long, until there is no reason any more. */
  wait(reason: string | undefined): void {
    this.waiting = reason;
    if (reason !== undefined) this.tell(reason);
  }

  /** Tells of what a search under way waits for. */
  tell(text: string): void {
    if (this.running) this.status(text);
  }

  /** While one search is under way, only the latest state waits. */
  private async answer(): Promise<void> {
    this.changes++;
    if (this.running) return;
    this.running = true;
    element('results').ariaBusy = 'true';
    for (let answered = 0; answered !== this.changes; ) {
      answered = this.changes;
      const latest = (): boolean => this.changes === answered;
      await this.searchOnce(latest).catch((error: unknown) => {
        if (!latest()) return;
        this.status('The search did not work.');
        trouble(explain(error));
      });
    }
    this.running = false;
    element('results').ariaBusy = 'false';
  }

  private async searchOnce(latest: () => boolean): Promise<void> {
    const { model, collection, query } = this;
    // The page is loading still, and says so.
    if (model === undefined || collection === undefined) return;
    if (query === undefined) return this.show([], 'Draw something.');
    if (collection.names.length === 0) return this.show([], 'There are no pictures of your own yet.');
    this.status(this.waiting ?? 'Searching …');
    const embedded = await this.embeddings.of(collection, model, latest, (done, total) => {
      if (latest()) this.status(`Embedding the pictures by this model: ${done} of ${total}`);
    });
    if (embedded === undefined) return;
    if (embedded.pictures.length === 0) return this.show([], 'None of these pictures can be read.');
    const { results, times } = await this.engine.search(model.checksum, query, embedded.values, SHOWN);
    if (!latest()) return;
    const found = results.map(({ index, score }) => ({ index: embedded.pictures[index], score }));
    this.show(found.map(({ index, score }) => item(collection, index, score)), `Nearest of ${collection.names.length}: `, nameElement(collection.names[found[0].index]));
    element('times').textContent = `Times: ${Object.entries(times).map(([stage, milliseconds]) => `${stage} ${milliseconds.toFixed(1)} ms`).join(', ')}`;
    trouble();
  }

  private show(results: readonly HTMLElement[], ...status: (string | Node)[]): void {
    element('results').replaceChildren(...results);
    element('times').textContent = '';
    this.status(...status);
  }
}

function item(collection: Collection, index: number, score: number): HTMLLIElement {
  const entry = document.createElement('li');
  const similarity = document.createElement('span');
  similarity.className = 'score';
  similarity.textContent = ` ${score.toFixed(2)}`;
  entry.append(collection.thumbnail(index), nameElement(collection.names[index]), similarity);
  return entry;
}
