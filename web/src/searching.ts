import type { Remote } from 'comlink';
import { markBelow } from '../../src/retrieval/cut-off.ts';
import type { Collection, PictureCollection } from './collections.ts';
import type { Embedded, Embeddings } from './embeddings.ts';
import type { Engine, Found } from './engine.ts';
import type { ModelSummary } from './open-models.ts';
import { element, explain, nameElement, trouble } from './page.ts';
import { PenPreview } from './pen-preview.ts';
import type { PictureDialog } from './picture-dialog.ts';
import type { Query } from './pictures.ts';

const SHOWN = 20;

/** A picture of the collection that is the query in place of a sketch. */
interface Example {
  readonly collection: Collection;
  readonly index: number;
}

interface Ranked {
  readonly index: number;
  readonly similarity: number;
}

/**
 * Shows the nearest pictures for what is on the pad, or for one of the pictures. The answer is always that of the
 * latest query, model and collection.
 */
export class Searching {
  private model: ModelSummary | undefined;
  private collection: Collection | undefined;
  private query: Query | undefined;
  private example: Example | undefined;
  /** Counts the changes of any of the three: an answer to an earlier state is not shown. */
  private changes = 0;
  private running = false;
  private waiting: string | undefined;
  /** Gives the drawing that the pen changes. */
  private moving: () => Query | undefined = () => undefined;
  private readonly penPreview = new PenPreview(
    () => {
      this.query = this.moving();
      this.example = undefined;
      this.previewing = true;
      void this.answer();
    },
    () => this.running,
  );
  /** Whether the pen moves: what is found is shown, and only the answer after it is announced. */
  private previewing = false;

  constructor(
    private readonly engine: Remote<Engine>,
    private readonly embeddings: Embeddings,
    private readonly pictures: PictureDialog,
    private readonly status: (...parts: (string | Node)[]) => void,
  ) {
    element('back').addEventListener('click', () => this.search(this.query));
  }

  use(model: ModelSummary | undefined, collection: Collection | undefined): void {
    this.model = model;
    this.collection = collection;
    // It may be no picture of the other collection.
    if (this.example?.collection !== collection) this.example = undefined;
    void this.answer();
  }

  search(query: Query | undefined): void {
    this.penPreview.end();
    this.previewing = false;
    this.query = query;
    this.example = undefined;
    void this.answer();
  }

  /**
   * Searches while the pen moves, now and then: what is on the pad is taken when a search begins, none begins while
   * another one is under way, and `search` ends it.
   * @param query gives what is on the pad at that moment
   */
  preview(query: () => Query | undefined): void {
    this.moving = query;
    this.penPreview.move();
  }

  /** Searches by a picture of the collection, until there is another query. */
  searchLike(collection: Collection, index: number): void {
    this.example = { collection, index };
    void this.answer();
    element('back').focus();
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
    // Several answers a second would be no use to those who hear them.
    element('status').ariaLive = this.previewing ? 'off' : 'polite';
    element('invitation').hidden = this.query !== undefined || this.example !== undefined;
    element('back').hidden = this.example === undefined;
    if (this.running) return;
    this.running = true;
    element('results').ariaBusy = 'true';
    for (let answered = 0; answered !== this.changes;) {
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
    this.penPreview.resume();
  }

  private async searchOnce(latest: () => boolean): Promise<void> {
    const { model, collection, query, example } = this;
    // The page or the collection is loading still, and says so.
    if (model === undefined || collection === undefined) return element('results').replaceChildren();
    if (query === undefined && example === undefined) return this.show([], 'Draw something.');
    if (collection.names.length === 0) return this.show([], 'There are no pictures of your own yet.');
    if (collection.kind === 'indexed' && collection.modelChecksum !== model.checksum)
      return this.show([], 'Only the model that comes with the page finds these icons. Choose it above.');
    if (!this.previewing) this.status(this.waiting ?? 'Searching …');
    const embedded = collection.kind === 'indexed' ? undefined : await this.embedded(collection, model, latest);
    if (!latest()) return;
    if (embedded?.pictures.length === 0) return this.show([], 'None of these pictures can be read.');
    if (example !== undefined) return this.showLike(example, model, embedded, latest);
    const { results, times } =
      collection.kind === 'indexed'
        ? await collection.search(query as Query, SHOWN)
        : await this.findEmbedded(model, query as Query, embedded as Embedded);
    if (!latest()) return;
    if (results.length === 0) return this.show([], 'The filters let nothing through.');
    const { nothingLike, results: marked } = markBelow(
      results.map(({ index, score }) => ({ index, similarity: score })),
      model.nothing,
    );
    const status = nothingLike
      ? [
          `There is nothing like this here. These are the nearest${collection.kind === 'indexed' ? '.' : ', and you can look through the collection.'}`,
        ]
      : [`Nearest of ${collection.names.length}: `, nameElement(collection.names[marked[0].index])];
    this.show(this.entries(collection, marked), ...status);
    element('results').classList.toggle('unlike', nothingLike);
    element('times').textContent = `Times: ${Object.entries(times)
      .map(([stage, milliseconds]) => `${stage} ${milliseconds.toFixed(1)} ms`)
      .join(', ')}`;
    trouble();
  }

  /** The embeddings of a collection; undefined where they are no longer wanted. */
  private embedded(
    collection: PictureCollection,
    model: ModelSummary,
    latest: () => boolean,
  ): Promise<Embedded | undefined> {
    return this.embeddings.of(collection, model, latest, (done, total) => {
      if (latest()) this.status(`Embedding the pictures by this model: ${done} of ${total}`);
    });
  }

  private async findEmbedded(model: ModelSummary, query: Query, { values, pictures }: Embedded): Promise<Found> {
    const { results, times } = await this.engine.search(model.checksum, query, values, SHOWN);
    return { results: results.map(({ index, score }) => ({ index: pictures[index], score })), times };
  }

  /** By the embedding of the picture itself, which is no result. @param embedded of a collection of pictures */
  private async showLike(
    { collection, index }: Example,
    model: ModelSummary,
    embedded: Embedded | undefined,
    latest: () => boolean,
  ): Promise<void> {
    const results =
      collection.kind === 'indexed'
        ? await collection.searchLike(index, SHOWN + 1)
        : await this.rankLike(index, model, embedded as Embedded);
    if (results === undefined) return this.show([], nameElement(collection.names[index]), ' cannot be read.');
    if (!latest()) return;
    const others = results
      .map(({ index: found, score }) => ({ index: found, similarity: score }))
      .filter(({ index: found }) => found !== index);
    this.show(this.entries(collection, others.slice(0, SHOWN)), 'More like ', nameElement(collection.names[index]));
    trouble();
  }

  /** Undefined for a picture that has no embedding. */
  private async rankLike(
    index: number,
    model: ModelSummary,
    { values, pictures }: Embedded,
  ): Promise<Found['results'] | undefined> {
    const place = pictures.indexOf(index);
    if (place < 0) return undefined;
    const row = values.slice(place * model.dimension, (place + 1) * model.dimension);
    const results = await this.engine.rank(model.checksum, row, values, SHOWN + 1);
    return results.map(({ index: found, score }) => ({ index: pictures[found], score }));
  }

  private entries(
    collection: Collection,
    results: readonly (Ranked & { readonly belowCutOff?: boolean })[],
  ): HTMLLIElement[] {
    return results.map(({ index, similarity, belowCutOff = false }) => {
      const entry = this.pictures.entry(collection, index, similarity);
      entry.classList.toggle('below', belowCutOff);
      return entry;
    });
  }

  private show(results: readonly HTMLElement[], ...status: (string | Node)[]): void {
    const list = element('results');
    list.replaceChildren(...results);
    list.classList.remove('unlike');
    list.scrollLeft = 0;
    element('times').textContent = '';
    this.status(...status);
  }
}
