import { describeMemory } from '../../autodiff/memory.ts';
import type { LogEntry } from '../../training/log.ts';
import type { RetrievalTraining } from '../../training/recipe.ts';
import { note, Progress } from './progress.ts';
import { describeWeights } from './weights-report.ts';

/** What a training shows while it runs. */
export class TrainingDisplay {
  private readonly steps = new Progress('training');
  private readonly other = { teacher: new Progress('teacher'), pipelines: new Progress('pipelines', false) };
  private readonly total: number;

  constructor({ steps }: RetrievalTraining) {
    this.total = steps;
  }

  readonly onProgress = (what: 'teacher' | 'pipelines' | 'validation', done: number, total: number): void => {
    if (what === 'validation') return;
    this.other[what].update(done, total);
    if (done === total) this.other[what].stop();
  };

  readonly onLog = (entry: LogEntry): void => {
    if (entry.event === 'weights') note(describeWeights(entry));
    if (entry.event === 'start' && entry.teacherClasses === 0)
      note('no teacher in the starting weights: the knowledge preservation loss is left out');
    if (entry.event === 'start' && entry.replacedVariants > 0)
      note(
        `${entry.replacedVariants} kernel variants that the run was begun with are not available here: its numbers will differ from those of an uninterrupted run in the last bits`,
      );
    if (entry.event === 'start') note(describeMemory(entry.memory));
    if (entry.event === 'step' && entry.skipped === true)
      note(
        `step ${entry.step}: gradients overflow 16 bits; the step is skipped, and the loss scale is now ${entry.lossScale} (${entry.skippedSteps} skipped so far)`,
      );
    if (entry.event === 'step') this.steps.update(entry.step + 1, this.total, describeStep(entry));
    if (entry.event === 'warning') note(`warning, step ${entry.step}: ${entry.message}`);
    if (entry.event === 'validation')
      note(
        `${entry.stepsDone}/${this.total} validation: mAP@all ${entry.mapAll.toFixed(4)}, P@1 ${entry.precisionAt1.toFixed(4)}${entry.best ? ', the best so far' : ''}`,
      );
  };

  stop(): void {
    this.steps.stop();
    this.other.teacher.stop();
    this.other.pipelines.stop();
  }
}

function describeStep({ loss, values, imagesPerSecond }: Extract<LogEntry, { event: 'step' }>): string {
  const parts = ['quadruplet', 'contrastive', 'classification', 'preservation', 'divergence']
    .filter((name) => name in values)
    .map((name) => `${name} ${values[name].toFixed(3)}`);
  return `${imagesPerSecond.toFixed(1)} images/s  loss ${loss.toFixed(3)} (${parts.join(', ')})`;
}
