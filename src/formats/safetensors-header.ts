/**
 * The header of a safetensors file: JSON that says of each tensor its type, its shape and where its bytes are. It is
 * read by a scanner of its own instead of JSON.parse, because JSON.parse hides duplicate keys, rounds large integers and
 * cannot say at which byte something is wrong. The scanner follows the fixed levels of a header and nothing deeper, so
 * that no nesting can exhaust the stack. Names are keys of a Map, where `__proto__` is a name like any other.
 */
import { quote } from './untrusted.ts';

/** Bytes an element, by the format's names of the types. */
export const ELEMENT_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F16: 2,
  BF16: 2,
  U16: 2,
  I16: 2,
  F32: 4,
  U32: 4,
  I32: 4,
  F64: 8,
  U64: 8,
  I64: 8,
} as const;

/** Element types of safetensors files. */
export type Dtype = keyof typeof ELEMENT_BYTES;

/** Before the header: its length. */
export const LENGTH_BYTES = 8;

/** The key of the header that holds no tensor. */
export const METADATA_KEY = '__metadata__';

/** Far above any real tensor's, so that a header of nothing but dimensions does not become an array of millions. */
const MOST_DIMENSIONS = 32;

/** What a header says of a tensor. */
export interface Entry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly offsets: readonly [begin: number, end: number];
}

/** Says what is wrong and never returns. */
export type Fail = (problem: string) => never;

/** The header as a text. */
export function decodeHeader(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('the header is not UTF-8 text');
  }
}

/** The tensors that a header describes, by name, and its metadata. */
export function readHeader(
  text: string,
  fail: Fail,
): {
  readonly entries: Map<string, Entry>;
  readonly metadata: Map<string, string>;
} {
  const scanner = new HeaderScanner(text, fail);
  const entries = new Map<string, Entry>();
  const metadata = new Map<string, string>();
  // The format asks for the brace in the very first byte.
  if (text[0] !== '{') scanner.failHere('the header must start with {');
  scanner.object('the header', (name) => {
    if (name === METADATA_KEY) scanner.object(METADATA_KEY, (key) => void metadata.set(key, scanner.string()));
    else entries.set(name, readEntry(scanner, name));
  });
  scanner.end();
  return { entries, metadata };
}

function readEntry(scanner: HeaderScanner, name: string): Entry {
  const place = `tensor ${quote(name)}`;
  let dtype: Dtype | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object(place, (key) => {
    if (key === 'dtype') dtype = readDtype(scanner, place);
    else if (key === 'shape') shape = scanner.counts(`${place}, shape`);
    else if (key === 'data_offsets') offsets = scanner.counts(`${place}, data_offsets`);
    else scanner.failHere(`${place} has an unknown key ${quote(key)}`);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined)
    return scanner.failHere(`${place} needs dtype, shape and data_offsets`);
  if (offsets.length !== 2)
    return scanner.failHere(`${place} has ${offsets.length} data_offsets, where begin and end are needed`);
  return { dtype, shape, offsets: [offsets[0], offsets[1]] };
}

function readDtype(scanner: HeaderScanner, place: string): Dtype {
  const dtype = scanner.string();
  if (!Object.hasOwn(ELEMENT_BYTES, dtype))
    scanner.failHere(
      `${place} has the unknown dtype ${quote(dtype)}; known are ${Object.keys(ELEMENT_BYTES).join(', ')}`,
    );
  return dtype as Dtype;
}

/** Reads the part of JSON that a header consists of: objects, strings, and lists of counts. */
class HeaderScanner {
  private position = 0;

  constructor(
    private readonly text: string,
    private readonly fail: Fail,
  ) {}

  /** Reads an object; `readValue` must consume the value of each key. */
  object(what: string, readValue: (key: string) => void): void {
    const keys = new Set<string>();
    this.list('{', '}', () => {
      const key = this.string();
      if (keys.has(key)) this.failHere(`${what} has the key ${quote(key)} twice`);
      keys.add(key);
      this.expect(':');
      readValue(key);
    });
  }

  /** Reads a list of integers from 0 to 2^53 - 1. */
  counts(what: string): number[] {
    const values: number[] = [];
    this.list('[', ']', () => {
      if (values.push(this.count(what)) > MOST_DIMENSIONS)
        this.failHere(`${what} has more than ${MOST_DIMENSIONS} numbers`);
    });
    return values;
  }

  string(): string {
    this.skipBlanks();
    const start = this.position;
    if (this.text[start] !== '"') this.failHere('a string was expected');
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    try {
      // JSON.parse on the one literal knows all escapes, and refuses what is none.
      const value: unknown = JSON.parse(this.text.slice(start, end + 1));
      this.position = end + 1;
      return value as string;
    } catch {
      return this.failHere('a string is broken');
    }
  }

  end(): void {
    this.skipBlanks();
    if (this.position < this.text.length) this.failHere('the header goes on after its object');
  }

  failHere(problem: string): never {
    const offset = LENGTH_BYTES + new TextEncoder().encode(this.text.slice(0, this.position)).length;
    return this.fail(`${problem} (byte ${offset})`);
  }

  private list(open: string, close: string, readItem: () => void): void {
    this.expect(open);
    if (this.take(close)) return;
    do readItem();
    while (this.take(','));
    this.expect(close);
  }

  private count(what: string): number {
    this.skipBlanks();
    let end = this.position;
    while (end < this.text.length && '+-.0123456789eE'.includes(this.text[end])) end++;
    const literal = this.text.slice(this.position, end);
    const value = Number(literal);
    if (!/^(0|[1-9]\d{0,15})$/.test(literal) || !isCount(value))
      this.failHere(`${what}: ${quote(literal || this.text.charAt(end))} is not an integer from 0 to 2^53 - 1`);
    this.position = end;
    return value;
  }

  private expect(character: string): void {
    if (!this.take(character)) this.failHere(`${character} was expected`);
  }

  private take(character: string): boolean {
    this.skipBlanks();
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private skipBlanks(): void {
    while (this.position < this.text.length && ' \t\n\r'.includes(this.text[this.position])) this.position++;
  }
}

/** Whether a value is a size: an integer from 0 to 2^53 - 1. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
