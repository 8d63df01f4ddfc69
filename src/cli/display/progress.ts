import { Presets, SingleBar } from 'cli-progress';
import { printableLines } from './printable.ts';
import { RemainingTime } from './remaining-time.ts';

/** How often a line is printed where there is no terminal to draw a bar in, in milliseconds. */
const LINE_INTERVAL = 5000;

/**
 * The progress of one task, on stderr: a bar in a terminal, and elsewhere a line now and then.
 * What a command has to say goes to stdout, so that it can be piped.
 */
export class Progress {
  private readonly title: string;
  private readonly estimates: boolean;
  private bar: SingleBar | undefined;
  private lastLine = performance.now();
  private remaining: RemainingTime | undefined;

  /** @param estimates whether to say how long it will still take; not where the longest parts come first, as in compiling */
  constructor(title: string, estimates = true) {
    this.title = title;
    this.estimates = estimates;
  }

  /** @param details such as losses and images/s */
  update(done: number, total: number, details = ''): void {
    const now = performance.now();
    if (this.remaining === undefined) {
      this.remaining = new RemainingTime();
      if (process.stderr.isTTY) this.bar = newBar(this.title, total);
    }
    const seconds = this.remaining.after(done, total, now);
    const left = seconds === undefined || !this.estimates ? '' : `${formatSeconds(seconds)} left`;
    if (this.bar !== undefined) this.bar.update(done, { left, details });
    else if (now - this.lastLine >= LINE_INTERVAL || done === total) {
      this.lastLine = now;
      note([`${this.title} ${done}/${total}`, done === total ? '' : left, details].filter(Boolean).join('  '));
    }
  }

  /** Leaves the bar as it is. */
  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

function newBar(title: string, total: number): SingleBar {
  const format = `${title.padEnd(11)}{bar} {percentage} %  {value}/{total}  {left}  {details}`;
  const bar = new SingleBar({ format, hideCursor: true, barsize: 24, linewrap: false }, Presets.rect);
  bar.start(total, 0, { left: '', details: '' });
  return bar;
}

/** What a command has to say, on stdout. Names in it cannot command the terminal; JSON stays the same JSON. */
export function printText(text: string): void {
  process.stdout.write(printableLines(text));
}

/** A line on stderr, or several; a bar that is being drawn goes on below it. */
export function note(line: string): void {
  const shown = printableLines(line);
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${shown}\n` : `${shown}\n`);
}

/** "8 s", "3 min 20 s", "2 h 5 min". */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
