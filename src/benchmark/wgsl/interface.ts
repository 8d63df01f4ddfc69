// What a WGSL file declares: its entry points, bindings and override constants, read by the npm package wgsl_reflect.
import type { FunctionInfo, MemberInfo, TypeInfo, VariableInfo } from 'wgsl_reflect';
import { BenchmarkError } from './error.ts';

/** Types of single numbers in a buffer. */
export type ScalarType = 'f32' | 'f16' | 'i32' | 'u32';

export const SCALAR_BYTES: Readonly<Record<ScalarType, number>> = { f32: 4, f16: 2, i32: 4, u32: 4 };

/** A value of override constants: a number or a flag. */
export type OverrideValues = Readonly<Record<string, number | boolean>>;

/** A buffer that an entry point uses. */
export interface WgslBinding {
  readonly name: string;
  readonly group: number;
  readonly binding: number;
  readonly usage: 'uniform' | 'read' | 'read_write';
  /** As the file writes it, such as array<vec4<f32>>. */
  readonly type: string;
  /** The type of all its numbers; undefined where it has several. */
  readonly scalar: ScalarType | undefined;
  /** Bytes of all but a runtime-sized array. */
  readonly fixedBytes: number;
  /** Bytes from one element of its runtime-sized array to the next; 0 where it has none. */
  readonly stride: number;
  /** Where each number is, by the path of its member; for uniforms, whose values are given. */
  readonly fields: readonly WgslField[];
}

/** A scalar, vector or matrix of a uniform block. */
export interface WgslField {
  /** The names of the members on the way to it, with dots between them; empty where the block is a single value. */
  readonly path: string;
  readonly scalar: ScalarType;
  /** Byte offset of each of its numbers. */
  readonly offsets: readonly number[];
}

/** An entry point with all that has to be bound to run it. */
export interface WgslInterface {
  readonly entryPoint: string;
  readonly workgroupSize: readonly [number, number, number];
  readonly bindings: readonly WgslBinding[];
  /** Override constants of the file, with their @id where they have one. */
  readonly overrides: readonly { readonly name: string; readonly id?: number }[];
  /** Bytes of workgroup memory that the entry point and the functions it calls mention. */
  readonly workgroupBytes: number;
}

/**
 * Reads a WGSL file.
 * @param file its name, for errors
 * @param entryPoint by default the only one of the file
 * @param overrides values of override constants, on which sizes of workgroups and of workgroup memory may depend
 * @throws BenchmarkError where there is no such entry point, or it needs textures or samplers
 */
export async function readInterface(
  file: string,
  code: string,
  entryPoint: string | undefined,
  overrides: OverrideValues,
): Promise<WgslInterface> {
  // A quarter of a megabyte, which only benchmarks need.
  const { WgslReflect, WgslParser } = await import('wgsl_reflect/wgsl_reflect.module.js');
  const plain = withoutComments(code);
  const fixed = withConstants(plain, overrides);
  let reflection: InstanceType<typeof WgslReflect>;
  let nodes: ReturnType<InstanceType<typeof WgslParser>['parse']>;
  try {
    reflection = new WgslReflect(fixed);
    nodes = new WgslParser().parse(fixed);
  } catch (cause) {
    throw new BenchmarkError(
      `${file}: its declarations cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const entry = chosenEntry(file, reflection.entry.compute, entryPoint);
  const foreign = entry.resources.find(
    ({ name }) => ![...reflection.uniforms, ...reflection.storage].some((one) => one.name === name),
  );
  if (foreign !== undefined)
    throw new BenchmarkError(
      `${file}: ${entry.name} uses ${foreign.name}, a texture or sampler; only buffers can be bound here`,
    );
  // The functions that the entry point reaches, as text: what they mention is used.
  const lines = fixed.split('\n');
  const reached = [...new Set([entry, ...callsOf(entry)])];
  const bodies = reached.map(({ startLine, endLine }) => lines.slice(startLine - 1, endLine).join('\n')).join('\n');
  let workgroupBytes = 0;
  for (const node of nodes as readonly { name?: string; storage?: string; type?: never | null }[])
    if (
      node.storage === 'workgroup' &&
      node.type !== undefined &&
      node.type !== null &&
      mentions(bodies, node.name ?? '')
    )
      workgroupBytes += reflection.getTypeInfo(node.type).size;
  return {
    entryPoint: entry.name,
    workgroupSize: (entry.workgroupSize ?? [1, 1, 1]).map(Number) as [number, number, number],
    bindings: entry.resources
      .map((resource) => bindingOf(resource, reflection.uniforms.includes(resource) ? 'uniform' : resource.access))
      .sort((a, b) => a.group - b.group || a.binding - b.binding),
    // What has been given is a constant in the text that was read.
    overrides: [...plain.matchAll(OVERRIDE)].map(([, id, name]) => ({
      name,
      ...(id !== undefined && { id: Number(id) }),
    })),
    workgroupBytes,
  };
}

function chosenEntry(file: string, entries: readonly FunctionInfo[], name: string | undefined): FunctionInfo {
  if (entries.length === 0) throw new BenchmarkError(`${file}: there is no @compute entry point in it`);
  const names = entries.map((entry) => entry.name).join(', ');
  if (name === undefined && entries.length > 1)
    throw new BenchmarkError(`${file}: it has the entry points ${names}; choose one with --entry`);
  const entry = name === undefined ? entries[0] : entries.find((one) => one.name === name);
  if (entry === undefined)
    throw new BenchmarkError(`${file}: --entry ${name}: there is no such entry point, but ${names}`);
  return entry;
}

function callsOf({ calls }: FunctionInfo): FunctionInfo[] {
  return [...calls].flatMap((called) => [called, ...callsOf(called)]);
}

const mentions = (text: string, name: string): boolean => name !== '' && new RegExp(`\\b${name}\\b`).test(text);

/** WGSL's block comments nest. Lines keep their numbers. */
function withoutComments(code: string): string {
  let result = '';
  let depth = 0;
  for (let i = 0; i < code.length; i++) {
    const pair = code.slice(i, i + 2);
    if (pair === '/*' || (pair === '*/' && depth > 0)) {
      depth += pair === '/*' ? 1 : -1;
      i++;
    } else if (depth > 0) result += code[i] === '\n' ? '\n' : '';
    else if (pair === '//') {
      while (i + 1 < code.length && code[i + 1] !== '\n') i++;
    } else result += code[i];
  }
  return result;
}

const OVERRIDE = /(?:@id\s*\(\s*(\d+)\s*\)\s*)?\boverride\s+(\w+)\s*(?::\s*(\w+)\s*)?(=[^;]*)?;/g;

/** A file whose override constants are plain ones, for compilers that do not know them. */
export const withOverrides = (code: string, values: OverrideValues): string =>
  withConstants(withoutComments(code), values);

/** Override constants as `const`: sizes that depend on them are then known. Those without a value are 1. */
function withConstants(code: string, values: OverrideValues): string {
  return code.replace(OVERRIDE, (_, __, name: string, type: string | undefined, initial: string | undefined) => {
    const value = name in values ? `= ${String(values[name])}` : (initial ?? (type === 'bool' ? '= false' : '= 1'));
    return `const ${name}${type === undefined ? '' : `: ${type}`} ${value};`;
  });
}

function bindingOf(resource: VariableInfo, access: string): WgslBinding {
  const { name, group, binding, type } = resource;
  const runtime = runtimeArray(type);
  const fields = access === 'uniform' ? fieldsOf(type, '', 0) : [];
  const scalars = new Set(scalarsIn(type));
  const [scalar] = scalars;
  return {
    name,
    group: Number(group),
    binding: Number(binding),
    usage: access === 'uniform' ? 'uniform' : access === 'read_write' || access === 'write' ? 'read_write' : 'read',
    // The package writes a runtime-sized array as one of no elements.
    type: type.getTypeName().replace(', 0>', '>'),
    scalar: scalars.size === 1 ? scalar : undefined,
    fixedBytes: type.size,
    stride: runtime?.stride ?? 0,
    fields,
  };
}

interface Shape {
  readonly name: string;
  readonly isArray: boolean;
  readonly isStruct: boolean;
  readonly format?: TypeInfo | null;
  readonly members?: readonly MemberInfo[] | null;
  readonly count?: number;
  readonly stride?: number;
  getTypeName?(): string;
}

/** The array without a size at the end of a type. */
function runtimeArray(type: TypeInfo): { readonly stride: number } | undefined {
  const shape = type as Shape;
  if (shape.isArray) return shape.count === 0 ? { stride: shape.stride ?? 0 } : undefined;
  const last = shape.members?.at(-1);
  return last === undefined ? undefined : runtimeArray(last.type);
}

function scalarsIn(type: TypeInfo): ScalarType[] {
  const shape = type as Shape;
  if (shape.isArray) return shape.format ? scalarsIn(shape.format) : [];
  if (shape.isStruct) return (shape.members ?? []).flatMap((member) => scalarsIn(member.type));
  return [numbersOf(type).scalar];
}

/** A scalar, vector, matrix or atomic: its numbers and the places of them. */
function numbersOf(type: TypeInfo): { readonly scalar: ScalarType; readonly offsets: readonly number[] } {
  const name = type.getTypeName();
  const [, kind, columns, rows, suffix] = /^(vec|mat)(\d)(?:x(\d))?([fhiu])?/.exec(name) ?? [];
  const scalar = (/\b(f32|f16|i32|u32)\b/.exec(name)?.[1] ??
    { f: 'f32', h: 'f16', i: 'i32', u: 'u32' }[suffix ?? ''] ??
    'u32') as ScalarType;
  const bytes = SCALAR_BYTES[scalar];
  if (kind === undefined) return { scalar, offsets: [0] };
  if (kind === 'vec') return { scalar, offsets: Array.from({ length: Number(columns) }, (_, i) => i * bytes) };
  // A matrix is an array of its columns, and one of three rows takes the place of four.
  const stride = (Number(rows) === 3 ? 4 : Number(rows)) * bytes;
  return {
    scalar,
    offsets: Array.from(
      { length: Number(columns) * Number(rows) },
      (_, i) => Math.floor(i / Number(rows)) * stride + (i % Number(rows)) * bytes,
    ),
  };
}

function fieldsOf(type: TypeInfo, path: string, offset: number): WgslField[] {
  const shape = type as Shape;
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  if (shape.isStruct)
    return (shape.members ?? []).flatMap((member) => fieldsOf(member.type, below(member.name), offset + member.offset));
  if (shape.isArray && shape.format) {
    const { format, count = 0, stride = 0 } = shape;
    return Array.from({ length: count }, (_, i) => fieldsOf(format, below(String(i)), offset + i * stride)).flat();
  }
  const { scalar, offsets } = numbersOf(type);
  return [{ path, scalar, offsets: offsets.map((one) => one + offset) }];
}
