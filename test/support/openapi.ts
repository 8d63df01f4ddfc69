// The description of the server's API, and answers checked against it.
import * as assert from 'uvu/assert';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Validator, type Schema } from '@cfworker/json-schema';

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly example: string | number | readonly (string | number)[];
}
interface Described {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
  readonly headers?: Readonly<Record<string, unknown>>;
}
interface Operation {
  readonly parameters?: readonly (Parameter | Reference)[];
  readonly responses: Readonly<Record<string, Described | Reference>>;
}
interface Reference {
  readonly $ref: string;
}
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const file = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url));
/** Objects may have no other properties than those described: a test fails where the description lacks one. */
export const description = JSON.parse(await readFile(file, 'utf8'), (_, value: unknown) =>
  typeof value === 'object' && value !== null && 'properties' in value
    ? { additionalProperties: false, ...value }
    : value,
) as Description;

/** What is described, or what a reference leads to. */
export function resolve<Value>(value: Value | Reference): Value {
  if (!(typeof value === 'object' && value !== null && '$ref' in value)) return value as Value;
  const [, , kind, name] = value.$ref.split('/');
  return description.components[kind][name] as Value;
}

/** Operations by `get /search`, with the expressions of their addresses. */
export const operations = Object.entries(description.paths).flatMap(([address, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method} ${address}`,
    method,
    address,
    pattern: new RegExp(`^${address.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
    operation,
  })),
);

/**
 * Checks an answer: its status, its headers and its body must be described. @returns the operation and the status, as
 * in `get /search 200`
 */
export async function checkAnswer(method: string, address: string, response: Response): Promise<string> {
  const { pathname } = new URL(address);
  // The methods that are not described are answered as the address describes.
  const found =
    operations.find((each) => each.pattern.test(pathname) && each.method === method.toLowerCase()) ??
    operations.find((each) => each.pattern.test(pathname));
  assert.ok(found, `${pathname} is described`);
  const { status } = response;
  const described = resolve(found.operation.responses[status] as Described | Reference | undefined);
  assert.ok(described, `${found.name}: status ${status} is described`);
  for (const header of Object.keys(described.headers ?? {}))
    assert.ok(response.headers.has(header), `${found.name} ${status}: header ${header}`);
  const type = (response.headers.get('content-type') ?? '').split(';')[0];
  const content = described.content?.[type];
  assert.ok(content, `${found.name} ${status}: content type ${type} is described`);
  if (type === 'application/json') {
    const validator = new Validator(
      { ...(content.schema as object), components: description.components },
      '2020-12',
      false,
    );
    const { valid, errors } = validator.validate(await response.clone().json());
    assert.ok(
      valid,
      `${found.name} ${status}: ${errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`).join('; ')}`,
    );
  }
  return `${found.name} ${status}`;
}
