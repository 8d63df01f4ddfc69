/**
 * A reader of Python's pickles that executes nothing (the opcodes are documented in CPython's Lib/pickletools.py). A
 * pickle is a program for a small stack machine, and in Python it may call whatever it names. This machine builds plain
 * containers, numbers and strings; what a global's name stands for is the caller's to say, and a global that the caller
 * does not know ends the reading. Of the npm packages that read pickles none has been touched since 2024, and none
 * bounds what a file may ask for.
 *
 * Lists become arrays, dicts Maps (whose keys must be strings, numbers or None), tuples Tuples, bytes Uint8Arrays,
 * integers beyond 2^53 bigints.
 */
import { PickleMachine, Tuple, type PickleOptions } from './pickle-machine.ts';

/**
 * Reads a pickle.
 * @returns the value and the position after the pickle
 */
export function readPickle(
  bytes: Uint8Array,
  options: PickleOptions,
): { readonly value: unknown; readonly end: number } {
  const machine = new PickleMachine(bytes, options);
  for (;;) {
    const code = machine.next();
    if (code === STOP) return { value: machine.pop(), end: machine.end };
    const operation = OPERATIONS.get(code);
    if (operation === undefined)
      machine.fail(
        FORBIDDEN.get(code) ??
          `it has the operation 0x${code.toString(16).padStart(2, '0')}, which no pickle of weights needs`,
      );
    else operation(machine);
  }
}

type Operation = (machine: PickleMachine) => void;

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
