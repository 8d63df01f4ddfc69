import { proxy, type Remote } from 'comlink';
import { ClassCards } from './class-cards.ts';
import { readProject, saveProject } from './class-project.ts';
import { LossCurve } from './loss-curve.ts';
import type { Engine } from './engine.ts';
import type { TrainingOutcome } from './training-session.ts';
import type { ModelSummary } from './open-models.ts';
import { forget, readKept } from './kept-files.ts';
import { askBeforeLeaving, storing } from './leaving.ts';
import { download, element, explain, nameList, picturesOf, trouble } from './page.ts';
import { hearTabs, tellTabs } from './tabs.ts';
import { keepOut, showComparison, type SplitClasses } from './training-comparison.ts';
import { listenToPresets, trainingNumbers } from './training-numbers.ts';

/** Where the model of the last training is kept. */
const TRAINED_MODEL = 'trained/model.safetensors';

/** What a training began with. */
interface Started {
  readonly model: ModelSummary;
  readonly classes: SplitClasses;
}

/** The view of a training on the user's classes: collects them, trains, shows the loss and what it changed. */
export class TrainingView {
  private readonly cards: ClassCards;
  private readonly curve = new LossCurve(element('curve'));
  private started: Started | undefined;
  /** What a long phase is about; each compiled pipeline is told after it. */
  private phase: string | undefined;
  private running = false;
  private checkpoint: string | undefined;
  /** The model of an earlier visit, until it is used, forgotten, or another takes its place. */
  private kept: File | undefined;

  /**
   * @param model the model in use
   * @param sketch what is on the pad, or undefined
   * @param onTrained hears of the trained model
   * @param onBusy hears when the device is taken, and when it is free again
   */
  constructor(
    private readonly engine: Remote<Engine>,
    private readonly model: () => ModelSummary | undefined,
    sketch: () => Promise<Blob | undefined>,
    private readonly onTrained: (model: ModelSummary) => void,
    private readonly onBusy: (busy: boolean) => void,
  ) {
    this.cards = new ClassCards(
      element('classes'),
      sketch,
      () => this.allow(),
      (text) => this.status(text),
    );
    element('class-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const input = element<HTMLInputElement>('class-name');
      const name = input.value.trim();
      if (name !== '') this.cards.class(name);
      input.value = '';
      this.cards.show();
    });
    const folder = element<HTMLInputElement>('train-folder');
    folder.addEventListener('change', () => {
      this.addFolder(picturesOf(folder.files ?? []));
      folder.value = '';
    });
    const project = element<HTMLInputElement>('project-open');
    project.addEventListener('change', () => {
      const [file] = project.files ?? [];
      project.value = '';
      if (file !== undefined) void this.openProject(file);
    });
    element('project-save').addEventListener(
      'click',
      () => void saveProject(this.cards.classes).then((bytes) => download(bytes, 'sketchgrad-classes.json')),
    );
    listenToPresets();
    element('train-start').addEventListener('click', () => void this.start());
    element('train-pause').addEventListener('click', () => {
      this.status('Pausing after the steps that are under way …');
      void this.engine.pause();
    });
    element('train-resume').addEventListener(
      'click',
      () => void this.run((report, note) => this.engine.continueTraining(report, note)),
    );
    element('train-save').addEventListener('click', () => void this.save());
    element('kept-use').addEventListener('click', () => void this.useKept());
    element('kept-forget').addEventListener('click', () => {
      this.offerKept(undefined);
      void forget(TRAINED_MODEL).then(() => tellTabs('model'));
    });
    const readAgain = (): void => void readKept(TRAINED_MODEL).then((file) => this.offerKept(file));
    hearTabs('model', readAgain);
    readAgain();
    this.cards.show();
  }

  /** Tells of what a training, or the comparison after it, waits for. */
  tell(text: string): void {
    if (this.phase !== undefined) this.status(`${this.phase}${text}`);
  }

  /** Takes <anything>/sketch/<class>/<file> and <anything>/photo/<class>/<file>. */
  private addFolder(files: readonly File[]): void {
    let taken = 0;
    for (const file of files) {
      const [domain, name] = file.webkitRelativePath.split('/').slice(-3);
      if (name === undefined || (domain !== 'sketch' && domain !== 'photo')) continue;
      this.cards.class(name)[domain === 'sketch' ? 'sketches' : 'photos'].push(file);
      taken++;
    }
    this.cards.show();
    this.status(
      taken > 0
        ? `${taken} pictures of ${this.cards.classes.length} classes.`
        : 'No picture there lies in sketch/<class>/ or photo/<class>/.',
    );
  }

  /** Adds the classes of a file to those that are there. */
  private async openProject(file: File): Promise<void> {
    trouble();
    try {
      const found = readProject(await file.text());
      for (const { name, sketches, photos } of found) {
        const own = this.cards.class(name);
        own.sketches.push(...sketches);
        own.photos.push(...photos);
      }
      this.cards.show();
      this.status(`${found.length} classes opened.`);
    } catch (error) {
      trouble(explain(error));
    }
  }

  private allow(): void {
    const start = element<HTMLButtonElement>('train-start');
    start.disabled = this.running || this.cards.complete.length < 2;
    start.title = start.disabled ? 'Two classes with a sketch and a picture each are needed' : '';
    element<HTMLButtonElement>('project-save').disabled = this.cards.classes.length === 0;
  }

  private async start(): Promise<void> {
    const model = this.model();
    if (model === undefined) return;
    const numbers = trainingNumbers();
    if ('wrong' in numbers) {
      this.status(numbers.wrong);
      return;
    }
    const classes = keepOut(this.cards.complete);
    this.started = { model, classes };
    this.checkpoint = undefined;
    this.curve.clear();
    await this.run((report, note) => this.engine.train(model.checksum, [...classes.training], numbers, report, note));
  }

  private async run(
    work: (
      report: (report: { step: number; steps: number; loss: number }) => void,
      note: (text: string) => void,
    ) => Promise<TrainingOutcome>,
  ): Promise<void> {
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
      const unreadable = outcome.unreadable.map(({ className, name }) => `${className}/${name}`);
      if (outcome.stepsDone > 0) {
        this.phase = `${ending} Comparing before and after … `;
        this.status(this.phase);
        if (this.started !== undefined)
          unreadable.push(
            ...(await showComparison(this.engine, this.started.model.checksum, this.started.classes, outcome).catch(
              (error: unknown) => (trouble(explain(error)), []),
            )),
          );
      }
      this.phase = undefined;
      this.status(
        ending,
        ...(unreadable.length > 0 ? [' Not readable, and passed over: ', ...nameList(unreadable), '.'] : []),
      );
    } catch (error) {
      const left = await this.engine.interrupted();
      this.checkpoint = left?.checksum ?? this.checkpoint;
      this.buttons(left === undefined ? 'done' : 'paused');
      this.status(
        left === undefined
          ? 'The training ended with an error.'
          : `The training was ended by an error. It can be resumed from step ${left.stepsDone}.`,
      );
      trouble(explain(error));
    } finally {
      this.phase = undefined;
    }
  }

  /**
   * Keeps the trained model for the next visit and takes it into use, unless it is no better than what it came from.
   * @returns what became of it
   */
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
      const model = await this.engine.openModel(
        new Uint8Array(await file.arrayBuffer()),
        `Trained here on ${timeOf(file)}`,
      );
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
    this.running = state === 'running';
    this.allow();
    element<HTMLButtonElement>('kept-use').disabled = state === 'running';
    element('train-pause').hidden = state !== 'running';
    element('train-resume').hidden = state !== 'paused';
    element('train-save').hidden = state === 'running' || this.checkpoint === undefined;
  }

  private async save(): Promise<void> {
    if (this.checkpoint !== undefined)
      download(await this.engine.saveModel(this.checkpoint), `sketchgrad-${this.checkpoint.slice(0, 12)}.safetensors`);
  }

  private status(...parts: (string | Node)[]): void {
    element('train-status').replaceChildren(...parts);
  }
}

const timeOf = ({ lastModified }: File): string =>
  new Date(lastModified).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
