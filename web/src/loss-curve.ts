import type uPlot from 'uplot';

const HEIGHT = 200;

/** The loss by step, drawn as it comes. The library that draws it is loaded with the first step. */
export class LossCurve {
  private readonly steps: number[] = [];
  private readonly losses: number[] = [];
  private chart: Promise<uPlot> | undefined;

  constructor(private readonly holder: HTMLElement) {}

  clear(): void {
    this.steps.length = this.losses.length = 0;
  }

  add(step: number, loss: number): void {
    const { steps, losses, holder } = this;
    // After the loss of a device, steps are done again.
    while (steps.length > 0 && steps[steps.length - 1] >= step) {
      steps.pop();
      losses.pop();
    }
    steps.push(step);
    losses.push(loss);
    holder.setAttribute(
      'aria-label',
      `Loss by step: ${losses[0].toFixed(3)} at step ${steps[0]}, ${loss.toFixed(3)} at step ${step}`,
    );
    this.chart ??= this.create();
    // A browser that cannot draw the curve still says the losses.
    this.chart.then(
      (chart) => chart.setData([steps, losses]),
      () => undefined,
    );
  }

  private async create(): Promise<uPlot> {
    const [{ default: Plot }] = await Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css')]);
    const { holder } = this;
    const colours = getComputedStyle(document.documentElement);
    const axis = { stroke: colours.getPropertyValue('--ink'), grid: { stroke: colours.getPropertyValue('--line') } };
    const series = [{ label: 'step' }, { label: 'loss', stroke: colours.getPropertyValue('--accent'), width: 2 }];
    const chart = new Plot(
      { width: holder.clientWidth, height: HEIGHT, scales: { x: { time: false } }, axes: [axis, axis], series },
      [this.steps, this.losses],
      holder,
    );
    new ResizeObserver(() => chart.setSize({ width: holder.clientWidth, height: HEIGHT })).observe(holder);
    return chart;
  }
}
