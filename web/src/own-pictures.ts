import type { Remote } from 'comlink';
import type { Embeddings } from './embeddings.ts';
import type { Engine } from './engine.ts';
import type { ModelSummary } from './open-models.ts';
import { storing } from './leaving.ts';
import { OwnLibrary, type OwnCollection } from './own-library.ts';
import { element, explain, nameElement, nameList, PICTURE_TYPES, picturesOf, trouble } from './page.ts';
import { hearTabs } from './tabs.ts';

/** Pictures that are stored together: what was stored stays when the rest is stopped. */
const STEP = 64;
/** Share of the quota above which the visitor is warned. */
const NEARLY_FULL = 0.9;

const UNITS = ['kB', 'MB', 'GB'];

function sizeOf(bytes: number): string {
  const unit = Math.max(0, Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3) - 1));
  return `${(bytes / 1000 ** (unit + 1)).toFixed(1)} ${UNITS[unit]}`;
}

/**
 * The view of the visitor's own pictures: takes them, makes small copies, embeds them, and tells when there is another
 * collection.
 */
export class OwnPictures {
  private readonly library = new OwnLibrary(() => {
    if (!this.adding) this.show();
    this.onChange(this.collection, false);
  });
  private readonly progress = element<HTMLProgressElement>('own-progress');
  private readonly inputs = ['own-folder', 'own-files'].map((id) => element<HTMLInputElement>(id));
  private adding = false;
  /** Counts how often all was forgotten: what was begun before is not finished. */
  private forgotten = 0;
  private stopped = false;

  private constructor(
    private readonly engine: Remote<Engine>,
    private readonly embeddings: Embeddings,
    private readonly model: () => ModelSummary | undefined,
    private readonly onChange: (collection: OwnCollection, use: boolean) => void,
  ) {}

  /**
   * @param model the model in use
   * @param onChange hears of a new collection, and whether the visitor wants to search it now
   */
  static async open(
    engine: Remote<Engine>,
    embeddings: Embeddings,
    model: () => ModelSummary | undefined,
    onChange: (collection: OwnCollection, use: boolean) => void,
  ): Promise<OwnPictures> {
    const view = new OwnPictures(engine, embeddings, model, onChange);
    await view.library.refresh();
    view.listen();
    view.show();
    return view;
  }

  get collection(): OwnCollection {
    return this.library.collection;
  }

  /** Tells of what adding pictures waits for. */
  tell(text: string): void {
    if (this.adding) this.status(text);
  }

  private listen(): void {
    for (const input of this.inputs) {
      input.addEventListener('change', () => {
        void this.add(picturesOf(input.files ?? []));
        input.value = '';
      });
    }
    element<HTMLInputElement>('own-files').accept = PICTURE_TYPES;
    element('own-stop').addEventListener('click', () => (this.stopped = true));
    element('own-forget').addEventListener('click', () => void this.forget());
    // The model, whose vectors are counted, may be another one by now.
    element('own-browse').addEventListener('click', () => void this.showStorage());
    document.addEventListener('dragover', (event) => event.preventDefault());
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      if ((event.target as HTMLElement).id === 'pad' || event.dataTransfer === null || this.adding) return;
      void filesIn([...event.dataTransfer.items]).then((files) => this.add(picturesOf(files)));
    });
    hearTabs('pictures', () => {
      void this.library.refresh().then(() => {
        if (!this.adding) this.show();
        this.onChange(this.collection, false);
      });
    });
  }

  private show(): void {
    const { length } = this.collection.names;
    element('own-forget').hidden = length === 0 && !this.adding;
    element('own-browse').hidden = length === 0;
    void this.showStorage();
    this.status(length > 0 ? `${length} pictures, kept on this device.` : 'Or drop a folder anywhere on this page.');
  }

  private async add(files: readonly File[]): Promise<void> {
    if (files.length === 0) {
      this.status('There was no picture among these files.');
      return;
    }
    trouble();
    this.busy(true);
    const { forgotten } = this;
    this.stopped = false;
    const goesOn = (): boolean => this.forgotten === forgotten;
    try {
      const { kept, unreadable, left } = await storing(() => this.store(files, goesOn));
      if (!goesOn()) return;
      this.stopped = false;
      // Before the search has any part of it, so that all progress is told here.
      const embedding = this.embed(() => goesOn() && !this.stopped);
      this.onChange(this.collection, true);
      await embedding;
      if (!goesOn()) return;
      this.show();
      if (left > 0) element('own-status').append(` Stopped: ${left} were not added.`);
      if (!kept)
        this.status(`${this.collection.names.length} pictures. This browser does not keep them for the next visit.`);
      if (unreadable.length > 0) element('own-status').append(' Not readable: ', ...nameList(unreadable), '.');
    } catch (error) {
      this.show();
      trouble(explain(error));
    } finally {
      this.busy(false);
    }
  }

  private async store(
    files: readonly File[],
    goesOn: () => boolean,
  ): Promise<{ readonly kept: boolean; readonly unreadable: readonly string[]; readonly left: number }> {
    let copies: { name: string; copy: Blob }[] = [];
    const unreadable: string[] = [];
    let kept = true;
    let read = 0;
    this.progress.max = files.length;
    for (; read < files.length && goesOn() && !this.stopped; read++) {
      const file = files[read];
      this.progress.value = read;
      this.status(`Reading ${read + 1} of ${files.length}: `, nameElement(file.name));
      const copy = await this.engine.shrink(file, file.name).catch(() => undefined);
      if (copy === undefined) unreadable.push(file.name);
      else copies.push({ name: file.webkitRelativePath || file.name, copy });
      if (copies.length < STEP || !goesOn()) continue;
      kept = (await this.library.add(copies)) && kept;
      copies = [];
      void this.showStorage();
    }
    if (goesOn()) kept = (await this.library.add(copies)) && kept;
    return { kept, unreadable, left: files.length - read };
  }

  /** How much the page stores, how much the browser lets it store, and the memory of what is searched. */
  private async showStorage(): Promise<void> {
    const line = element('own-storage');
    const { usage = 0, quota = 0 } = (await navigator.storage.estimate().catch(() => undefined)) ?? {};
    line.hidden = quota === 0 || this.collection.names.length === 0;
    const advice = usage > NEARLY_FULL * quota ? ' Remove pictures before you add more.' : '';
    // A float for each component.
    const vectors = 4 * this.collection.names.length * (this.model()?.dimension ?? 0);
    const memory = vectors === 0 ? '' : ` Their vectors take ${sizeOf(vectors)} of memory.`;
    line.textContent = `This page stores ${sizeOf(usage)} of the ${sizeOf(quota)} that the browser allows.${memory}${advice}`;
  }

  /** Embeds what is new, again where another tab changes the pictures meanwhile. */
  private async embed(goesOn: () => boolean): Promise<void> {
    for (let embedded: OwnCollection | undefined; embedded !== this.collection && goesOn();) {
      const [collection, model] = [this.collection, this.model()];
      embedded = collection;
      if (model === undefined || collection.names.length === 0) continue;
      await this.embeddings.of(
        collection,
        model,
        () => goesOn() && collection === this.collection,
        (done, total) => {
          if (!goesOn()) return;
          this.progress.max = total;
          this.progress.value = done;
          this.status(`Embedding ${done} of ${total}`);
        },
      );
    }
  }

  private async forget(): Promise<void> {
    this.forgotten++;
    try {
      await this.library.forget();
      this.show();
      this.status('They are forgotten.');
      this.onChange(this.collection, false);
    } catch (error) {
      trouble(explain(error));
    }
  }

  private busy(busy: boolean): void {
    this.adding = busy;
    this.progress.hidden = !busy;
    element('own-stop').hidden = !busy;
    element('own-forget').hidden = !busy && this.collection.names.length === 0;
    for (const input of this.inputs) input.disabled = busy;
  }

  private status(...parts: (string | Node)[]): void {
    element('own-status').replaceChildren(...parts);
  }
}

/** The files of a drop, folders opened. */
async function filesIn(items: readonly DataTransferItem[]): Promise<File[]> {
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const open = async (entry: FileSystemEntry): Promise<File[]> => {
    if (entry.isFile)
      return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    const files: File[] = [];
    // A reader gives its entries in portions, an empty one at the end.
    for (;;) {
      const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (portion.length === 0) return files;
      for (const each of portion) for (const file of await open(each)) files.push(file);
    }
  };
  return (await Promise.all(entries.map(open))).flat();
}
