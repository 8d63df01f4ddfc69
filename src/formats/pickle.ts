/**
 * A reader of Python's pickles that executes nothing (the opcodes are documented in CPython's Lib/pickletools.py). A
 * pickle is a program for a small stack machine, and in Python it may call whatever it names. This machine builds plain
 * containers, numbers and strings; what a global's name stands for is the caller's to say, and a global that the caller
 * does not know ends the reading. Of the npm packages that read pickles none has been touched since 2024, and none
 * bounds what a file may ask for.
 *
 * Lists become arrays, dicts Maps (whose keys must be strings, numbers or None), tuples Tuples, bytes Uint8Arrays,
 * integers beyond 2^53 bigints. The work and the memory are bounded by MOST_WORK, whatever the file says.
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

/** @returns the value and the position after the pickle */
export function readPickle(
  bytes: Uint8Array,
  options: PickleOptions,
): { readonly value: unknown; readonly end: number } {
  return new PickleMachine(bytes, options).run();
}

type Operation = (machine: PickleMachine) => void;

class PickleMachine {
  private readonly view: DataView;
  private readonly stack: unknown[] = [];
  /** Heights of the stack at the marks. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  private position: number;
  /** Of the operation under way. */
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

  run(): { readonly value: unknown; readonly end: number } {
    for (;;) {
      this.began = this.position;
      this.charge(1);
      const code = this.unsigned(1);
      if (code === STOP) return { value: this.pop(), end: this.position };
      const operation = OPERATIONS.get(code);
      if (operation === undefined)
        this.fail(
          FORBIDDEN.get(code) ??
            `it has the operation 0x${code.toString(16).padStart(2, '0')}, which no pickle of weights needs`,
        );
      else operation(this);
    }
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

const STOP = 0x2e;
const code = (character: string): number => character.charCodeAt(0);

/** The operations of protocols 2 to 5 that make data, and those of protocol 0 that Python 2 mixed in. */
const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  // Protocol, frame: nothing to do.
  [0x80, (m) => void m.unsigned(1)],
  [0x95, (m) => void m.unsigned(8)],
  // The stack, the memo.
  [code('('), (m) => m.mark()],
  [code('0'), (m) => void m.pop()],
  [code('1'), (m) => void m.popMark()],
  [code('2'), (m) => m.push(m.top())],
  [code('p'), (m) => m.remember(Number(m.decimal()))],
  [code('q'), (m) => m.remember(m.unsigned(1))],
  [code('r'), (m) => m.remember(m.unsigned(4))],
  [0x94, (m) => m.remember(m.remembered)],
  [code('g'), (m) => m.recall(Number(m.decimal()))],
  [code('h'), (m) => m.recall(m.unsigned(1))],
  [code('j'), (m) => m.recall(m.unsigned(4))],
  // None, booleans, numbers.
  [code('N'), (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [code('I'), (m) => m.push(m.decimal())],
  [code('L'), (m) => m.push(m.decimal())],
  [code('J'), (m) => m.push(m.signed32())],
  [code('K'), (m) => m.push(m.unsigned(1))],
  [code('M'), (m) => m.push(m.unsigned(2))],
  [0x8a, (m) => m.push(m.integer(m.unsigned(1)))],
  [0x8b, (m) => m.push(m.integer(m.unsigned(4)))],
  [code('G'), (m) => m.push(m.float())],
  // Strings (Python 2's as well), bytes.
  [code('X'), (m) => m.push(m.text(m.unsigned(4)))],
  [0x8c, (m) => m.push(m.text(m.unsigned(1)))],
  [0x8d, (m) => m.push(m.text(m.unsigned(8)))],
  [code('T'), (m) => m.push(m.text(m.unsigned(4)))],
  [code('U'), (m) => m.push(m.text(m.unsigned(1)))],
  [code('B'), (m) => m.push(m.take(m.unsigned(4)))],
  [code('C'), (m) => m.push(m.take(m.unsigned(1)))],
  [0x8e, (m) => m.push(m.take(m.unsigned(8)))],
  // Containers.
  [code(']'), (m) => m.push([])],
  [code('l'), (m) => m.push(m.popMark())],
  [code('a'), (m) => m.append([m.pop()])],
  [code('e'), (m) => m.append(m.popMark())],
  [code(')'), (m) => m.push(new Tuple([]))],
  [code('t'), (m) => m.push(new Tuple(m.popMark()))],
  [0x85, (m) => m.popTuple(1)],
  [0x86, (m) => m.popTuple(2)],
  [0x87, (m) => m.popTuple(3)],
  [code('}'), (m) => m.push(new Map())],
  [
    code('d'),
    (m) => {
      const items = m.popMark();
      m.push(new Map());
      m.setItems(items);
    },
  ],
  [
    code('s'),
    (m) => {
      const value = m.pop();
      m.setItems([m.pop(), value]);
    },
  ],
  [code('u'), (m) => m.setItems(m.popMark())],
  // Names, calls, what is stored elsewhere: the caller decides.
  [code('c'), (m) => m.global(m.line(), m.line())],
  [
    0x93,
    (m) => {
      const name = m.pop();
      m.global(m.pop(), name);
    },
  ],
  [code('R'), (m) => m.reduce()],
  [0x81, (m) => m.instantiate(1)],
  [0x92, (m) => m.instantiate(2)],
  [code('b'), (m) => m.build()],
  [code('Q'), (m) => m.persistent()],
]);

/** Operations that make objects of Python classes, or that Python looks up elsewhere, with what to say of them. */
const FORBIDDEN: ReadonlyMap<number, string> = new Map([
  ...['i', 'o'].map(
    (character) =>
      [code(character), 'it makes an object of a Python class; only tensors and plain containers are read'] as const,
  ),
  ...[0x82, 0x83, 0x84].map(
    (number) =>
      [
        number,
        'it asks for an object of a registry of extensions; only tensors and plain containers are read',
      ] as const,
  ),
  ...[0x8f, 0x90, 0x91].map(
    (number) => [number, 'it has a set; only tensors, dicts, lists, tuples, numbers and strings are read'] as const,
  ),
]);
