// What a dispatch asks of a compute unit, read from the declarations of its WGSL.
import type { Dispatch } from '../kernels/contract/dispatch.ts';

export interface ShaderResources {
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** Bytes of a workgroup, by its declarations: exact. */
  readonly workgroupBytes: number;
  /** 32-bit registers of an invocation: an estimate, see `resourcesOf`. */
  readonly registers: number;
}

/**
 * Registers besides declared variables and loaded elements: addresses, bounds, counters. As in kernels/cost-model.ts.
 */
const OTHER_REGISTERS = 24;

const SCALAR_BYTES: Readonly<Record<string, number>> = { f32: 4, u32: 4, i32: 4, bool: 4, f16: 2 };

/**
 * Workgroup memory is what the entry point and the functions that it calls mention of it. Registers are 24, an element
 * of each storage operand, and all variables that those functions declare, as if all were alive at once and every array
 * stayed in registers.
 */
export function resourcesOf(dispatch: Dispatch): ShaderResources {
  const { shader, libraries = [], constants = {} } = dispatch;
  const source = [...libraries, shader]
    .map((part) => part.source)
    .join('\n')
    .replace(/\/\/.*$/gm, '');
  const module = new Declarations(source, constants);
  const functions = functionsOf(source);
  const entry =
    dispatch.entryPoint ?? [...functions].find(([, { attributes }]) => attributes.includes('@compute'))?.[0] ?? '';
  const reached = reachedFrom(entry, functions);
  const bodies = reached.map((name) => functions.get(name)?.body ?? '').join('\n');
  const mentioned = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(bodies);

  let workgroupBytes = 0;
  for (const [, name, type] of source.matchAll(/var<workgroup>\s+(\w+)\s*:\s*([^;]+);/g))
    if (mentioned(name)) workgroupBytes += module.bytes(type);
  let numbers = 0;
  for (const [, name, type] of source.matchAll(/var<private>\s+(\w+)\s*:\s*([^;=]+)/g))
    if (mentioned(name)) numbers += module.bytes(type) / 4;
  for (const [, name, type] of source.matchAll(/var<storage,\s*read_write>\s+(\w+)\s*:\s*array<\s*(\w+)/g))
    if (mentioned(name)) numbers += module.bytes(type) / 4;
  for (const [, type, made] of bodies.matchAll(/\b(?:var|let)\s+\w+\s*(?::\s*([^=;]+?)\s*)?(?:;|=\s*(\w+)?)/g))
    numbers += module.bytes(type ?? (made !== undefined && module.isType(made) ? made : 'f32')) / 4;
  const [, sizes = '1'] = /@workgroup_size\(([^)]*)\)/.exec(functions.get(entry)?.attributes ?? '') ?? [];
  return {
    invocations: sizes.split(',').reduce((product, size) => product * module.value(size), 1),
    workgroupBytes,
    registers: Math.ceil(OTHER_REGISTERS + numbers),
  };
}

interface ShaderFunction {
  readonly attributes: string;
  readonly body: string;
}

function functionsOf(source: string): ReadonlyMap<string, ShaderFunction> {
  const functions = new Map<string, ShaderFunction>();
  for (const match of source.matchAll(/((?:@\w+(?:\([^)]*\))?\s*)*)\bfn\s+(\w+)/g)) {
    const open = source.indexOf('{', match.index);
    let depth = 0;
    let end = open;
    do {
      if (source[end] === '{') depth++;
      if (source[end] === '}') depth--;
      end++;
    } while (depth > 0 && end < source.length);
    functions.set(match[2], { attributes: match[1], body: source.slice(open, end) });
  }
  return functions;
}

function reachedFrom(entry: string, functions: ReadonlyMap<string, ShaderFunction>): string[] {
  const reached = new Set<string>();
  const pending = [entry];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    for (const [, called] of (functions.get(name)?.body ?? '').matchAll(/\b(\w+)\s*\(/g))
      if (functions.has(called)) pending.push(called);
  }
  return [...reached];
}

/** The constants, aliases and structures of a module. */
class Declarations {
  private readonly constants = new Map<string, string>();
  private readonly types = new Map<string, string>();
  private readonly structures = new Map<string, string>();

  constructor(source: string, given: NonNullable<Dispatch['constants']>) {
    for (const [, name, value] of source.matchAll(/^\s*const\s+(\w+)\s*(?::\s*\w+\s*)?=\s*([^;]+);/gm))
      this.constants.set(name, value);
    for (const [, name, type] of source.matchAll(/^\s*alias\s+(\w+)\s*=\s*([^;]+);/gm)) this.types.set(name, type);
    for (const [, name, members] of source.matchAll(/struct\s+(\w+)\s*\{([^}]*)\}/g))
      this.structures.set(name, members);
    for (const [name, value] of Object.entries(given)) {
      if (typeof value === 'string') this.types.set(name, value);
      else this.constants.set(name, String(Number(value)));
    }
  }

  isType(name: string): boolean {
    return (
      this.types.has(name) ||
      this.structures.has(name) ||
      /^(?:f32|u32|i32|f16|bool|vec[234][fuih]?|mat[234]x[234]f|array)$/.test(name)
    );
  }

  /** The size of a type; what has none in memory, such as a matrix of a matrix unit, counts as a word. */
  bytes(type: string): number {
    const name = type.trim();
    const alias = this.types.get(name);
    if (alias !== undefined) return this.bytes(alias);
    const members = this.structures.get(name);
    if (members !== undefined)
      return [...members.matchAll(/\w+\s*:\s*((?:[^,<]|<[^>]*>)+)/g)].reduce(
        (sum, [, member]) => sum + this.bytes(member),
        0,
      );
    const array = /^array<\s*(.+?)\s*(?:,\s*([^<>]+))?>$/.exec(name);
    // Three numbers lie in arrays as far apart as four.
    if (array !== null)
      return (
        (array[2] === undefined ? 1 : this.value(array[2])) *
        (/^vec3/.test(this.types.get(array[1]) ?? array[1]) ? 16 : this.bytes(array[1]))
      );
    const vector = /^vec([234])(?:<(\w+)>|([fuih]))?$/.exec(name);
    if (vector !== null) return Number(vector[1]) * (vector[2] === 'f16' || vector[3] === 'h' ? 2 : 4);
    const matrix = /^mat([234])x([234])f$/.exec(name);
    if (matrix !== null) return 4 * Number(matrix[1]) * Number(matrix[2]);
    return SCALAR_BYTES[name] ?? 4;
  }

  /** The value of an expression of whole numbers: sums, products, quotients, brackets and select. */
  value(expression: string): number {
    const tokens = expression.match(/0x[0-9a-f]+|\d+|\w+|[-+*/%(),]/gi) ?? [];
    let next = 0;
    const sum = (): number => {
      let left = product();
      while (tokens[next] === '+' || tokens[next] === '-')
        left = tokens[next++] === '+' ? left + product() : left - product();
      return left;
    };
    const product = (): number => {
      let left = factor();
      while (tokens[next] === '*' || tokens[next] === '/' || tokens[next] === '%') {
        const operator = tokens[next++];
        const right = factor();
        left = operator === '*' ? left * right : operator === '/' ? Math.trunc(left / right) : left % right;
      }
      return left;
    };
    const factor = (): number => {
      const token = tokens[next++] ?? '';
      if (token === '(') return closed(sum());
      if (token === 'select') {
        next++;
        const parts = [sum()];
        while (tokens[next] === ',') {
          next++;
          parts.push(sum());
        }
        return closed(parts[2] === 0 ? parts[0] : parts[1]);
      }
      if (/^(?:0x[0-9a-f]+|\d+)/i.test(token)) {
        // The suffix of an unsigned number is a token of its own.
        if (tokens[next] === 'u') next++;
        return Number(token);
      }
      const constant = this.constants.get(token);
      if (constant === undefined) throw new Error(`${token} in ${expression} is no constant of its shader`);
      return this.value(constant);
    };
    const closed = (value: number): number => {
      next++;
      return value;
    };
    return sum();
  }
}
