import type { Shader } from '../../contract/dispatch.ts';

// The sums that an invocation of a tiled product keeps in registers, and all that is done to them, written out one by
// one. WGSL can neither unroll a loop nor name variables by a number, so that a shader by itself needs an array of
// sums, and drivers do not treat an array like variables: with variables the same product runs 15 % faster on an H200
// (docs/kernels/convolution/README.md).

type Sums = (rows: number, columnVectors: number, visitors: readonly string[]) => Shader;

/** The generated texts, which have kilobytes each. All problems share a few of them, so each is made once. */
/* @__NO_SIDE_EFFECTS__ */
function madeOnce(make: Sums): Sums {
  const made = new Map<string, Shader>();
  return (rows, columnVectors, visitors) => {
    const key = `${rows} ${columnVectors} ${visitors.join(' ')}`;
    let shader = made.get(key);
    if (shader === undefined) made.set(key, (shader = make(rows, columnVectors, visitors)));
    return shader;
  };
}

const LANES = ['x', 'y', 'z', 'w'] as const;

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

const sum = (row: number, column: number): string => `sum${row}_${column}`;

const add = (row: number, column: number, left: string, right: string): string =>
  `  ${sum(row, column)} = fma(vec4f(${left}), ${right}, ${sum(row, column)});\n`;

/**
 * The variables, and for each name of a function `visit(row, its vectors, place)` of the shader one called
 * `visitRows(place)`, which hands it one row after the other. `Place` is the shader's.
 */
function sums(rows: number, columnVectors: number, visitors: readonly string[]): string {
  const vectors = `array<vec4f, ${columnVectors}>`;
  const rowOf = (row: number): string =>
    `${vectors}(${range(columnVectors)
      .map((column) => sum(row, column))
      .join(', ')})`;
  const variables = range(rows).flatMap((row) =>
    range(columnVectors).map((column) => `var<private> ${sum(row, column)}: vec4f;\n`),
  );
  const visits = visitors.map(
    (visit) =>
      `fn ${visit}s(place: Place) {\n${range(rows)
        .map((row) => `  ${visit}(${row}u, ${rowOf(row)}, place);\n`)
        .join('')}}\n`,
  );
  return `${variables.join('')}\n${visits.join('\n')}`;
}

/**
 * Sums [rows, 4 * columnVectors] of products whose left factor has its depths in a vector: `addProducts(leftPlace,
 * rightPlace)` adds those of four depths, from the shader's `leftVector(leftPlace, row)` and `rightVector(rightPlace,
 * depth, columnVector)`.
 */
export const sumsOfRows = madeOnce((rows, columnVectors, visitors) => {
  const right = (depth: number, column: number): string => `right${depth}_${column}`;
  const loads = range(4).flatMap((depth) =>
    range(columnVectors).map(
      (column) => `  let ${right(depth, column)} = rightVector(rightPlace, ${depth}u, ${column}u);\n`,
    ),
  );
  const products = range(rows).map((row) => {
    const sumsOfRow = range(columnVectors).flatMap((column) =>
      LANES.map((lane, depth) => add(row, column, `left${row}.${lane}`, right(depth, column))),
    );
    return `  let left${row} = leftVector(leftPlace, ${row}u);\n${sumsOfRow.join('')}`;
  });
  return library(`sums of ${rows} rows`, sums(rows, columnVectors, visitors), [...loads, ...products]);
});

/**
 * Sums [rows, 4 * columnVectors] of products whose left factor has four rows in a vector: `addProducts(leftPlace,
 * rightPlace)` adds those of one depth, from the shader's `leftVector(leftPlace, rowVector)` and
 * `rightVector(rightPlace, columnVector)`.
 */
export const sumsOfRowVectors = madeOnce((rows, columnVectors, visitors) => {
  const loads = range(columnVectors).map((column) => `  let right${column} = rightVector(rightPlace, ${column}u);\n`);
  const products = range(rows / 4).map((vector) => {
    const sumsOfVector = LANES.flatMap((lane, index) =>
      range(columnVectors).map((column) => add(4 * vector + index, column, `left${vector}.${lane}`, `right${column}`)),
    );
    return `  let left${vector} = leftVector(leftPlace, ${vector}u);\n${sumsOfVector.join('')}`;
  });
  return library(`sums of ${rows} rows in vectors`, sums(rows, columnVectors, visitors), [...loads, ...products]);
});

const library = (name: string, variables: string, statements: readonly string[]): Shader => ({
  name,
  source: `${variables}\nfn addProducts(leftPlace: u32, rightPlace: u32) {\n${statements.join('')}}\n`,
});
