import { classKey } from '../../src/data/class-names.ts';
import { proxy, type Remote } from 'comlink';
import { LossCurve } from './loss-curve.ts';
import type { Engine, ModelSummary, TrainingOutcome } from './engine.ts';
import { forget, readKept } from './kept-files.ts';
import { askBeforeLeaving, storing } from './leaving.ts';
import type { UnreadablePicture } from './own-training.ts';
import { download, element, explain, nameElement, nameList, PICTURE_TYPES, picturesOf, trouble } from './page.ts';
import { hearTabs, tellTabs } from './tabs.ts';

const NEAREST = 5;
/** Where the model of the last training is kept. */
const TRAINED_MODEL = 'trained/model.safetensors';

interface Trainable {
  readonly name: string;
  readonly sketches: Blob[];
  readonly photos: Blob[];
}

/** What a training began with. */
interface Started {
  readonly model: ModelSummary;
  readonly classes: readonly Trainable[];
}

/** The view of a training on classes of one's own: collects them, trains, shows the loss and what it changed. */
export class TrainingView {
  private readonly classes: Trainable[] = [];
  private readonly curve = new LossCurve(element('curve'));
  private started: Started | undefined;
  /** What a long phase is about; each compiled pipeline is told after it. */
  private phase: string | undefined;
  private checkpoint: string | undefined;
  /** The model of an earlier visit, until it is used, forgotten, or another takes its place. */
  private kept: File | undefined;

  /**
   * @param model the model in use
   * @param sketch what is on the pad, or undefined
   * @param onTrained hears of the trained model
   * @param onBusy hears when the device is taken, and when it is free again
   */
  constructor(private readonly engine: Remote<Engine>, private readonly model: () => ModelSummary | undefined, private readonly sketch: () => Promise<Blob | undefined>, private readonly onTrained: (model: ModelSummary) => void, private readonly onBusy: (busy: boolean) => void) {
    element('class-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const input = element<HTMLInputElement>('class-name');
      const name = input.value.trim();
      if (name !== '') this.class(name);
      input.value = '';
      this.show();
    });
    const folder = element<HTMLInputElement>('train-folder');
    folder.addEventListener('change', () => {
      this.addFolder(picturesOf(folder.files ?? []));
      folder.value = '';
    });
    element('train-start').addEventListener('click', () => void this.start());
    element('train-pause').addEventListener('click', () => {
      this.status('Pausing after the steps that are under way …');
      void this.engine.pause();
    });
    element('train-resume').addEventListener('click', () => void this.run((report, note) => this.engine.continueTraining(report, note)));
    element('train-save').addEventListener('click', () => void this.save());
    element('kept-use').addEventListener('click', () => void this.useKept());
    element('kept-forget').addEventListener('click', () => {
      this.offerKept(undefined);
      void forget(TRAINED_MODEL).then(() => tellTabs('model'));
    });
    const readAgain = (): void => void readKept(TRAINED_MODEL).then((file) => this.offerKept(file));
    hearTabs('model', readAgain);
    readAgain();
    this.show();
  }

  /** Tells of what a training, or the comparison after it, waits for. */
  tell(text: string): void {
    if (this.phase !== undefined) this.status(`${this.phase}${text}`);
  }

  private class(name: string): Trainable {
    let found = this.classes.find((each) => classKey(each.name) === classKey(name));
    if (found === undefined) this.classes.push((found = { name, sketches: [], photos: [] }));
    return found;
  }

  /** Takes <anything>/sketch/<class>/<file> and <anything>/photo/<class>/<file>. */
  private addFolder(files: readonly File[]): void {
    let taken = 0;
    for (const file of files) {
      const [domain, name] = file.webkitRelativePath.split('/').slice(-3);
      if (name === undefined || (domain !== 'sketch' && domain !== 'photo')) continue;
      this.class(name)[domain === 'sketch' ? 'sketches' : 'photos'].push(file);
      taken++;
    }
    this.show();
    this.status(taken > 0 ? `${taken} pictures of ${this.classes.length} classes.` : 'No picture there lies in sketch/<class>/ or photo/<class>/.');
  }

  private get complete(): Trainable[] {
    return this.classes.filter(({ sketches, photos }) => sketches.length > 0 && photos.length > 0);
  }

  private show(): void {
    element('classes').replaceChildren(...this.classes.map((each) => this.card(each)));
    const start = element<HTMLButtonElement>('train-start');
    start.disabled = this.complete.length < 2;
    start.title = start.disabled ? 'Two classes with a sketch and a picture each are needed' : '';
  }

  private card(each: Trainable): HTMLLIElement {
    const entry = document.createElement('li');
    const title = document.createElement('strong');
    title.append(nameElement(each.name));
    const count = document.createElement('span');
    count.textContent = ` ${each.sketches.length} sketches, ${each.photos.length} pictures`;
    const row = document.createElement('div');
    row.className = 'row';
    const drawn = button(`Add what is drawn`, `Add what is drawn to ${each.name}`);
    drawn.addEventListener('click', () => {
      void this.sketch().then((picture) => {
        if (picture === undefined) this.status('Draw something first.');
        else each.sketches.push(picture);
        this.show();
      });
    });
    const remove = button('Remove', `Remove ${each.name}`);
    remove.addEventListener('click', () => {
      this.classes.splice(this.classes.indexOf(each), 1);
      this.show();
    });
    row.append(drawn, this.fileButton('Add pictures', `Add pictures to ${each.name}`, each.photos), this.fileButton('Add sketches', `Add sketches to ${each.name}`, each.sketches), remove);
    entry.append(title, count, row);
    return entry;
  }

  private fileButton(text: string, label: string, target: Blob[]): HTMLLabelElement {
    const holder = document.createElement('label');
    holder.className = 'button';
    holder.textContent = text;
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', accept: PICTURE_TYPES, multiple: true, className: 'file', ariaLabel: label });
    input.addEventListener('change', () => {
      for (const picture of picturesOf(input.files ?? [])) target.push(picture);
      this.show();
    });
    holder.append(input);
    return holder;
  }

  private async start(): Promise<void> {
    const model = this.model();
    if (model === undefined) return;
    const inputs = ['train-steps', 'train-rate'].map((id) => element<HTMLInputElement>(id));
    const wrong = inputs.find((input) => !input.validity.valid || Number.isNaN(input.valueAsNumber));
    if (wrong !== undefined) {
      this.status(`${wrong.id === 'train-steps' ? 'Steps must be a whole number' : 'The learning rate must be a number'} from ${wrong.min} to ${wrong.max}.`);
      wrong.focus();
      return;
    }
    const [steps, learningRate] = inputs.map((input) => input.valueAsNumber);
    const classes = this.complete.map(({ name, sketches, photos }) => ({ name, sketches: [...sketches], photos: [...photos] }));
    this.started = { model, classes };
    this.checkpoint = undefined;
    this.curve.clear();
    await this.run((report, note) => this.engine.train(model.checksum, classes, { steps, learningRate }, report, note));
  }

  private async run(work: (report: (report: { step: number; steps: number; loss: number }) => void, note: (text: string) => void) => Promise<TrainingOutcome>): Promise<void> {
    this.buttons('running');
    element('comparison').hidden = true;
    this.phase = '';
    this.status('Compiling …');
    trouble();
    try {
      const report = proxy(({ step, steps, loss }: { step: number; steps: number; loss: number }) => {
        this.phase = undefined;
        this.curve.add(step + 1, loss);
        this.status(`Step ${step + 1} of ${steps}, loss ${loss.toFixed(3)}`);
      });
      const note = (text: string): void => {
        // A device that was lost compiles again.
        this.phase = '';
        this.status(text);
      };
      const outcome = await askBeforeLeaving(() => work(report, proxy(note)));
      this.checkpoint = outcome.checksum;
      this.buttons(outcome.stopped ? 'paused' : 'done');
      element('train-status').dataset.checksum = outcome.checksum;
      const ending = `${outcome.stopped ? 'Paused' : 'Done'} after ${outcome.stepsDone} steps. ${await this.keep(outcome)}`;
      const unreadable = outcome.unreadable.length > 0 ? [' Not readable, and passed over: ', ...nameList(outcome.unreadable.map(({ className, name }) => `${className}/${name}`)), '.'] : [];
      if (outcome.stepsDone > 0) {
        this.phase = `${ending} Comparing before and after … `;
        this.status(this.phase);
        await this.compare(outcome).catch((error: unknown) => trouble(explain(error)));
      }
      this.phase = undefined;
      this.status(ending, ...unreadable);
    } catch (error) {
      const left = await this.engine.interrupted();
      this.checkpoint = left?.checksum ?? this.checkpoint;
      this.buttons(left === undefined ? 'done' : 'paused');
      this.status(left === undefined ? 'The training ended with an error.' : `The training was ended by an error. It can be resumed from step ${left.stepsDone}.`);
      trouble(explain(error));
    } finally {
      this.phase = undefined;
    }
  }

  /** Keeps the trained model for the next visit and takes it into use, unless it is no better than what it came from. @returns what became of it */
  private async keep({ checksum, useless }: TrainingOutcome): Promise<string> {
    if (useless !== undefined) return `The model is neither used nor kept: ${useless}.`;
    const kept = await storing(() => this.engine.keepModel(checksum, TRAINED_MODEL));
    if (kept) {
      this.offerKept(undefined);
      tellTabs('model');
    }
    this.onTrained(await this.engine.summary(checksum));
    return `Checksum ${checksum.slice(0, 12)}.${kept ? ' The model is kept for your next visit.' : ' This browser does not keep the model for your next visit: download it.'}`;
  }

  private offerKept(file: File | undefined): void {
    this.kept = file;
    element('kept').hidden = file === undefined;
    if (file !== undefined) element('kept-use').textContent = `Use the model trained on ${timeOf(file)}`;
  }

  private async useKept(): Promise<void> {
    const file = this.kept;
    if (file === undefined) return;
    trouble();
    try {
      const model = await this.engine.openModel(new Uint8Array(await file.arrayBuffer()), `Trained here on ${timeOf(file)}`);
      this.offerKept(undefined);
      this.checkpoint = model.checksum;
      element('train-save').hidden = false;
      this.onTrained(model);
    } catch (error) {
      trouble(explain(error));
    }
  }

  private buttons(state: 'running' | 'paused' | 'done'): void {
    this.onBusy(state === 'running');
    element<HTMLButtonElement>('train-start').disabled = state === 'running' || this.complete.length < 2;
    element<HTMLButtonElement>('kept-use').disabled = state === 'running';
    element('train-pause').hidden = state !== 'running';
    element('train-resume').hidden = state !== 'paused';
    element('train-save').hidden = state === 'running' || this.checkpoint === undefined;
  }

  /** The nearest of the trained pictures for a sketch of each class, by the model before and after. */
  private async compare({ checksum, unreadable }: TrainingOutcome): Promise<void> {
    if (this.started === undefined) return;
    const readable = (className: string, domain: UnreadablePicture['domain'], pictures: readonly Blob[]): Blob[] =>
      pictures.filter((_, index) => !unreadable.some((each) => each.className === className && each.domain === domain && each.index === index));
    const classes = this.started.classes.map(({ name, sketches, photos }) => ({ name, sketches: readable(name, 'sketch', sketches), photos: readable(name, 'photo', photos) }));
    const photos = classes.flatMap(({ name, photos: pictures }) => pictures.map((picture) => ({ name, picture })));
    const queries = classes.flatMap(({ name, sketches }) => sketches.slice(-1).map((picture) => ({ name, picture })));
    const found: number[][][] = [];
    for (const model of [this.started.model.checksum, checksum]) {
      const { embeddings } = await this.engine.embed(model, photos);
      const nearest: number[][] = [];
      for (const { picture } of queries) nearest.push((await this.engine.search(model, picture, embeddings, NEAREST)).results.map(({ index }) => index));
      found.push(nearest);
    }
    element('comparison-rows').replaceChildren(
      ...queries.map(({ name, picture }, query) => {
        const row = document.createElement('tr');
        const head = document.createElement('th');
        head.scope = 'row';
        head.append(small(picture, ''), nameElement(name));
        row.append(head);
        for (const nearest of found) {
          const cell = document.createElement('td');
          for (const index of nearest[query]) {
            const image = small(photos[index].picture, photos[index].name);
            image.classList.toggle('hit', photos[index].name === name);
            cell.append(image);
          }
          row.append(cell);
        }
        return row;
      }),
    );
    element('comparison').hidden = false;
  }

  private async save(): Promise<void> {
    if (this.checkpoint !== undefined) download(await this.engine.saveModel(this.checkpoint), `sketchgrad-${this.checkpoint.slice(0, 12)}.safetensors`);
  }

  private status(...parts: (string | Node)[]): void {
    element('train-status').replaceChildren(...parts);
  }
}

const timeOf = ({ lastModified }: File): string => new Date(lastModified).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });

function button(text: string, label: string): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  made.setAttribute('aria-label', label);
  return made;
}

function small(picture: Blob, name: string): HTMLImageElement {
  const image = document.createElement('img');
  image.alt = name;
  image.src = URL.createObjectURL(picture);
  image.addEventListener('load', () => URL.revokeObjectURL(image.src));
  return image;
}
