import { formatBytes } from '../../autodiff/memory.ts';
import { ensureAdapter } from '../../platform/adapter.ts';
import { distilledPhotos } from '../../training/distillation.ts';
import { stepsPerEpoch } from '../../training/recipe.ts';
import { measureTeacherCost, type TeacherCost, type TeacherCosts } from '../../training/teacher-cost.ts';
import { defineCommand } from '../command.ts';
import { openData } from '../files/data.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { integer } from '../options/kinds.ts';
import { formatSeconds, printText, Progress } from '../display/progress.ts';
import { JSON_OPTION } from '../options/shared.ts';
import { textTable } from '../display/text-table.ts';
import { TRAIN_OPTIONS } from '../options/training.ts';
import { trainingOf } from '../training/settings.ts';
import { checkTuning, openTuner } from '../tuning.ts';

export const TEACHER_COST_OPTIONS = {
  ...TRAIN_OPTIONS,
  teacherClasses: integer({ minimum: 1, default: 1000, help: "The teacher's classes" }),
  rounds: integer({ minimum: 1, default: 5, help: 'Rounds in which the three steps are timed, alternating' }),
  stepsPerRound: integer({ minimum: 1, default: 3, help: 'Steps of each in a round' }),
  json: JSON_OPTION,
} as const;

export const teacherCostCommand = defineCommand({
  name: 'teacher-cost',
  summary: 'Measure the cost of a teacher: a step without one, with its table, and with the teacher online',
  options: TEACHER_COST_OPTIONS,
  async run(options) {
    checkTuning(options);
    await ensureAdapter(options.adapter);
    const dataset = await openData({ ...options, imageSize: options.size });
    const steps = options.steps ?? options.epochs * stepsPerEpoch(dataset, options);
    const training = trainingOf(options, steps);
    const device = await openCommandDevice(options.adapter);
    const progress = new Progress('rounds');
    try {
      const costs = await measureTeacherCost({
        device,
        selector: await openTuner(device, options),
        training,
        classes: dataset.seenClasses.length,
        teacherClasses: options.teacherClasses,
        photos: distilledPhotos(dataset, { photosPerClass: options.teacherPhotos, seed: options.seed }).length,
        rounds: options.rounds,
        stepsPerRound: options.stepsPerRound,
        processorTime: () => Object.values(process.cpuUsage()).reduce((a, b) => a + b, 0) / 1000,
        onProgress: (done, total) => progress.update(done, total),
      });
      progress.stop();
      const about = {
        adapter: device.description.device,
        data: dataset.name,
        images: 2 * options.classesPerBatch * options.imagesPerDomain,
        size: options.size,
        width: options.width,
        trainingSteps: steps,
      };
      printText(
        options.json
          ? `${JSON.stringify({ ...about, ...costs }, null, 1)}\n`
          : `${describeCosts(costs, steps, device.traits.kind === 'cpu')}\n`,
      );
    } finally {
      progress.stop();
      closeCommandDevice(device);
    }
  },
});

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const medianAndRange = (values: readonly number[]): string =>
  `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;

function describeCosts(
  { steps: costs, forwardWall, forwardProcessor }: TeacherCosts,
  steps: number,
  onProcessor: boolean,
): string {
  const seconds = ({ forwardsBefore, wall }: TeacherCost): number =>
    (forwardsBefore * median(forwardWall) + steps * median(wall)) / 1000;
  const head = [
    'teacher',
    'forwards before',
    'forwards in steps',
    'GFLOP a step',
    'memory',
    'step, ms',
    ...(onProcessor ? ['processor, ms'] : []),
    `all ${steps} steps`,
  ];
  const rows = costs.map((cost) => [
    cost.teacher,
    String(cost.forwardsBefore),
    String(cost.forwardsInSteps),
    (cost.flop / 1e9).toFixed(1),
    formatBytes(cost.memory),
    medianAndRange(cost.wall),
    ...(onProcessor ? [medianAndRange(cost.processor)] : []),
    formatSeconds(seconds(cost)),
  ]);
  const forward = `a forward pass of one image through the teacher alone: ${median(forwardWall).toFixed(1)} ms${onProcessor ? `, ${median(forwardProcessor).toFixed(1)} ms of processor` : ''}`;
  return `${textTable(head, rows)}\nMedian and range of rounds; the last column is computed from the medians, forwards before included. ${forward}.`;
}
