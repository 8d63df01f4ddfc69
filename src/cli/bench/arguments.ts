/** The values of `--buffer`, `--uniform`, `--override` and `--workgroups`. */
import type { OverrideValues, ScalarType } from '../../benchmark/wgsl/interface.ts';
import type { BufferContent, Fill, UniformContent } from '../../benchmark/wgsl/values.ts';
import { OptionError } from '../options/option.ts';

/** A buffer as it was typed; a file is read later. */
export type TypedBuffer = { readonly name: string } & (
  { readonly file: string; readonly type?: ScalarType } | { readonly content: BufferContent }
);

const BUFFER_FORM = 'NAME:TYPE[COUNT]=FILL, such as a:f32[1048576], b:vec4f[1024]=zeros or c=data.npy';
const TYPES = /^(?:(f32|f16|i32|u32)|vec([234])(?:([fhiu])|<(f32|f16|i32|u32)>))$/;
const SHORT: Readonly<Record<string, ScalarType>> = { f: 'f32', h: 'f16', i: 'i32', u: 'u32' };

/** `a:f32[1048576]=random(7)`: name, type, number of elements, fill. All but the name and one of count and file may be left out. */
export function parseBuffer(typed: string): TypedBuffer {
  const where = `--buffer ${typed}`;
  const [, name, type, count, fill] = /^(\w+)(?::([\w<>]+))?(?:\[([\d*x\s]+)\])?(?:=(.+))?$/.exec(typed) ?? [];
  if (name === undefined) throw new OptionError(`${where}: ${BUFFER_FORM} is needed`);
  const [, single, components, letter, inside] = (type !== undefined && TYPES.exec(type)) || [];
  if (type !== undefined && single === undefined && components === undefined)
    throw new OptionError(`${where}: ${type} is none of f32, f16, i32, u32 and vectors of them, such as vec4f`);
  const scalar = (single ?? inside ?? SHORT[letter ?? '']) as ScalarType | undefined;
  if (fill !== undefined && /\.(npy|bin)$/i.test(fill)) {
    if (count !== undefined) throw new OptionError(`${where}: the file decides the count; leave [${count}] out`);
    return { name, file: fill, ...(scalar && { type: scalar }) };
  }
  if (count === undefined) throw new OptionError(`${where}: no count; ${BUFFER_FORM} is needed`);
  const elements = count.split(/[*x]/).reduce((product, factor) => product * Number(factor), 1);
  if (!Number.isSafeInteger(elements) || elements < 1)
    throw new OptionError(`${where}: [${count}] is no number of elements above 0`);
  return {
    name,
    content: {
      count: elements,
      ...(scalar && { type: scalar }),
      ...(components !== undefined && { components: Number(components) }),
      ...(fill !== undefined && { fill: parseFill(fill, where) }),
    },
  };
}

function parseFill(text: string, where: string): Fill {
  if (text === 'iota') return { kind: 'iota' };
  if (text === 'zeros') return { kind: 'constant', value: 0 };
  const [random, , given = ''] = /^random(\(([^)]*)\))?$/.exec(text) ?? [];
  if (random !== undefined) {
    const numbers = given === '' ? [] : given.split(',').map(Number);
    if (numbers.length > 3 || numbers.length === 2 || numbers.some(Number.isNaN))
      throw new OptionError(
        `${where}: random takes a seed, or a seed and two bounds, such as random(1) or random(1,0,10)`,
      );
    const [seed, low, high] = numbers;
    return { kind: 'random', ...(seed !== undefined && { seed }), ...(low !== undefined && { low, high }) };
  }
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value))
    throw new OptionError(`${where}: ${text} is none of random, zeros, iota, a number, and a file .npy or .bin`);
  return { kind: 'constant', value };
}

/** `p=128,64,0.5` in the order of declaration, or `p=rows:128,columns:64,scale:0.5`; a vector's numbers as `size:1:2:3`. */
export function parseUniform(typed: string): { readonly name: string; readonly content: UniformContent } {
  const where = `--uniform ${typed}`;
  const [, name, list] = /^(\w+)=(.+)$/.exec(typed) ?? [];
  if (name === undefined) throw new OptionError(`${where}: NAME=VALUE,VALUE,... or NAME=MEMBER:VALUE,... is needed`);
  const number = (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) throw new OptionError(`${where}: ${text} is no number`);
    return value;
  };
  const parts = list.split(',');
  if (!parts.some((part) => part.includes(':'))) return { name, content: parts.map(number) };
  return {
    name,
    content: Object.fromEntries(
      parts.map((part) => {
        const [member, ...numbers] = part.split(':');
        if (numbers.length === 0)
          throw new OptionError(`${where}: ${part} names no member; give all values with their members, or none`);
        return [member, numbers.map(number)];
      }),
    ),
  };
}

/** `TILE=4,8,16`; true and false for flags. */
export function parseOverride(typed: string): { readonly name: string; readonly values: OverrideValues[string][] } {
  const where = `--override ${typed}`;
  const [, name, list] = /^(\w+)=(.+)$/.exec(typed) ?? [];
  if (name === undefined) throw new OptionError(`${where}: NAME=VALUE,VALUE,... is needed, such as TILE=4,8,16`);
  const values = list.split(',').map((text) => {
    if (text === 'true' || text === 'false') return text === 'true';
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value))
      throw new OptionError(`${where}: ${text} is no number, true or false`);
    return value;
  });
  return { name, values };
}

/** Values by name. @throws OptionError where a name is given twice */
export function byName<Value>(flag: string, pairs: readonly (readonly [string, Value])[]): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [name, value] of pairs) {
    if (name in values) throw new OptionError(`--${flag} ${name} is given twice`);
    values[name] = value;
  }
  return values;
}
