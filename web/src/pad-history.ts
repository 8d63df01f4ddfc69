import { NOTHING, type Content } from './pad-content.ts';

/** Changes that can be taken back. */
const HISTORY = 500;

/** What is on a pad, with the changes that can be undone and done again. */
export class PadHistory {
  private now = NOTHING;
  /** What was there before each change. */
  private readonly done: Content[] = [];
  /** What was undone, the last of it at the end. */
  private readonly undone: Content[] = [];
  private counted = 0;

  get content(): Content {
    return this.now;
  }

  /** Changes so far: a picture that takes long to decode does not replace what came after it. */
  get changes(): number {
    return this.counted;
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Counts a change that has not come yet. @returns its number */
  count(): number {
    return ++this.counted;
  }

  change(content: Content): void {
    this.counted++;
    this.undone.length = 0;
    this.done.push(this.now);
    if (this.done.length > HISTORY) this.done.shift();
    this.now = content;
  }

  /** Replaces the content as a part of the last change. */
  amend(content: Content): void {
    this.now = content;
  }

  undo(): void {
    this.step(this.done, this.undone);
  }

  /** Does again what was undone last, until there is another change. */
  redo(): void {
    this.step(this.undone, this.done);
  }

  private step(from: Content[], to: Content[]): void {
    // A picture that is being decoded does not come any more.
    this.counted++;
    const content = from.pop();
    if (content === undefined) return;
    to.push(this.now);
    this.now = content;
  }
}
