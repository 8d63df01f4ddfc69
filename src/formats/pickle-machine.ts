/**
 * The stack machine that reads a pickle: its stack, its memo, the bytes, and what of Python's objects it knows. It
 * executes nothing. The work and the memory are bounded by MOST_WORK, whatever the file says.
 */
import { printable } from './untrusted.ts';

/** A tuple, which unlike a list never changes. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** Says what is wrong, with the place, and never returns. */
type Fail = (problem: string) => never;

/** Counts work that an operation does beyond its own step. */
type Charge = (elements: number) => void;

/**
 * What may be called by a pickle, on the caller's terms. Each element that a call walks over or copies must be charged.
 */
export class Constructor {
  constructor(
    readonly name: string,
    readonly call: (args: readonly unknown[], fail: Fail, charge: Charge) => unknown,
  ) {}
}

/**
 * A Python object, class or function that the caller knows and needs nothing of, such as the arguments of a training.
 * It may be called, instantiated and filled, which gives another one of these: nothing is executed, and what is put
 * into it is dropped.
 */
export class Skipped {
  constructor(readonly name: string) {}
}

export interface PickleOptions {
  /** Where the pickle begins in `bytes`. */
  readonly start?: number;
  /** What a global's name, `module.name`, stands for; undefined where it is unknown, which ends the reading. */
  readonly global: (name: string) => unknown;
  /** What an object that was stored elsewhere (a persistent id) is. */
  readonly persistent: (id: unknown, fail: Fail) => unknown;
  /** Called with what is wrong and the position in `bytes`; must throw. */
  readonly fail: (problem: string, position: number) => never;
}

/**
 * Bound on the steps of a pickle, where a step makes one object at most, and on the elements that its calls copy. A
 * ResNet50's state takes 11,000, with Adam's moments 25,000.
 */
const MOST_WORK = 2 ** 18;

/** Bytes of an integer: PyTorch's magic number has ten. */
const LONGEST_INTEGER = 16;

/** Characters of a line, which holds a name or a number. */
const LONGEST_LINE = 256;

export class PickleMachine {
  private readonly view: DataView;
  private readonly stack: unknown[] = [];
  /** Heights of the stack at the marks. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  private position: number;
  /** Where the operation under way begins. */
  private began: number;
  private work = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly options: PickleOptions,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = options.start ?? 0;
    this.began = this.position;
  }

  /** Begins the next operation. @returns its code */
  next(): number {
    this.began = this.position;
    this.charge(1);
    return this.unsigned(1);
  }

  /** The position after what was read. */
  get end(): number {
    return this.position;
  }

  readonly charge: Charge = (elements) => {
    this.work += elements;
    if (this.work > MOST_WORK)
      this.fail(`the pickle takes more than ${MOST_WORK} steps, more than any file of weights needs`);
  };

  readonly fail = (problem: string): never => this.options.fail(problem, this.began);

  // The stack.

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) this.fail('the pickle takes from an empty stack');
    return this.stack.pop();
  }

  top(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) this.fail('the pickle looks at an empty stack');
    return this.stack[this.stack.length - 1];
  }

  mark(): void {
    this.marks.push(this.stack.length);
  }

  popMark(): unknown[] {
    const height = this.marks.pop();
    return height === undefined ? this.fail('the pickle has no mark where one is needed') : this.stack.splice(height);
  }

  popTuple(length: number): void {
    const items = Array.from({ length }, () => this.pop()).reverse();
    this.push(new Tuple(items));
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof Skipped) return;
    if (!Array.isArray(list)) return this.fail('the pickle appends to what is no list');
    for (const item of items) list.push(item);
  }

  setItems(items: readonly unknown[]): void {
    const dict = this.top();
    if (dict instanceof Skipped) return;
    if (!(dict instanceof Map)) return this.fail('the pickle sets an item of what is no dict');
    if (items.length % 2 !== 0) this.fail('a key of a dict has no value');
    for (let index = 0; index < items.length; index += 2) {
      const key = items[index];
      if (key !== null && !['string', 'number', 'bigint', 'boolean'].includes(typeof key))
        this.fail('a key of a dict is no string, number or None');
      dict.set(key, items[index + 1]);
    }
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  get remembered(): number {
    return this.memo.size;
  }

  recall(index: number): void {
    if (!this.memo.has(index)) this.fail(`the pickle recalls ${index}, which it did not remember`);
    this.push(this.memo.get(index));
  }

  // What the caller decides.

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') return this.fail('the name of a global is no string');
    const found = this.options.global(`${module}.${name}`);
    if (found === undefined) {
      this.fail(
        `it asks for the Python object ${printable(`${module}.${name}`)}. Only tensors and plain containers are read, and nothing is executed: load the file in PyTorch, where you trust it, and save the tensors alone, as in torch.save(model.state_dict(), "weights.pth")`,
      );
    }
    this.push(found);
  }

  reduce(): void {
    const args = this.pop();
    const callable = this.pop();
    if (callable instanceof Skipped) return this.push(new Skipped(callable.name));
    if (!(callable instanceof Constructor)) return this.fail('the pickle calls what cannot be called');
    if (!(args instanceof Tuple)) return this.fail(`the pickle calls ${callable.name} without a tuple of arguments`);
    this.push(callable.call(args.items, this.fail, this.charge));
  }

  /** An object of a class, from the class and so many values after it. */
  instantiate(values: number): void {
    for (let index = 0; index < values; index++) this.pop();
    const type = this.pop();
    if (!(type instanceof Skipped))
      return this.fail('it makes an object of a Python class; only tensors and plain containers are read');
    this.push(new Skipped(type.name));
  }

  /** Attributes of an OrderedDict, such as the versions of a state dict's modules: nothing that weights need. */
  build(): void {
    this.pop();
    const built = this.top();
    if (!(built instanceof Map) && !(built instanceof Skipped))
      this.fail('the pickle sets attributes of what is no dict');
  }

  persistent(): void {
    this.push(this.options.persistent(this.pop(), this.fail));
  }

  // The bytes.

  take(length: number): Uint8Array {
    const end = this.position + length;
    if (end > this.bytes.length)
      this.fail(
        `the pickle is cut short: it wants ${length} bytes at byte ${this.position}, and there are ${this.bytes.length - this.position}`,
      );
    const taken = this.bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  /** Little-endian; of more than 2^53 in 8 bytes only that it is too large matters. */
  unsigned(length: 1 | 2 | 4 | 8): number {
    const at = this.position;
    this.take(length);
    if (length === 1) return this.view.getUint8(at);
    if (length === 2) return this.view.getUint16(at, true);
    return length === 4 ? this.view.getUint32(at, true) : Number(this.view.getBigUint64(at, true));
  }

  signed32(): number {
    return this.unsigned(4) | 0;
  }

  /** Big-endian, unlike all other numbers. */
  float(): number {
    const at = this.position;
    this.take(8);
    return this.view.getFloat64(at);
  }

  text(length: number): string {
    return decoder.decode(this.take(length));
  }

  /** Up to the line's end, which is taken too. */
  line(): string {
    const end = this.bytes.subarray(this.position, this.position + LONGEST_LINE + 1).indexOf(0x0a);
    if (end < 0) this.fail(`a line of the pickle does not end within ${LONGEST_LINE} bytes`);
    return this.text(end + 1).slice(0, -1);
  }

  /** Two's complement, little-endian. */
  integer(length: number): number | bigint {
    if (length > LONGEST_INTEGER) this.fail(`the pickle has an integer of ${length} bytes`);
    const taken = this.take(length);
    let value = 0n;
    for (let index = length - 1; index >= 0; index--) value = value * 256n + BigInt(taken[index]);
    return plain(BigInt.asIntN(8 * length, value));
  }

  decimal(): number | bigint | boolean {
    const digits = this.line().replace(/L$/, '');
    if (digits === '00') return false;
    if (digits === '01') return true;
    return /^-?\d{1,38}$/.test(digits)
      ? plain(BigInt(digits))
      : this.fail(`the pickle has ${JSON.stringify(digits.slice(0, 40))} for an integer`);
  }
}

/** An integer as a number where that is exact. */
const plain = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
const decoder = new TextDecoder();
