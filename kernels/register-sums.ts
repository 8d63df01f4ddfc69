import type { Shader } from '../src/gpu/dispatch.ts';

// The sums that an invocation of a tiled product keeps in registers, and the multiply-adds into them, written out one by one. WGSL can
// neither unroll a loop nor name variables by a number, so that a shader by itself needs an array of sums, and drivers do not treat an
// array like variables: with variables the same product runs 15 % faster on an H200 (docs/kernels/convolution.md).

const LANES = ['x', 'y', 'z', 'w'] as const;

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

const sum = (row: number, column: number): string => `sum${row}_${column}`;

const add = (row: number, column: number, left: string, right: string): string => `  ${sum(row, column)} = fma(vec4f(${left}), ${right}, ${sum(row, column)});\n`;

/** The variables, and `sumOf(row, columnVector)`: for loops that a compiler unrolls, and whose choice it therefore knows. */
function sums(rows: number, columnVectors: number): string {
  const places = range(rows).flatMap((row) => range(columnVectors).map((column) => ({ row, column })));
  const choices = places.map(({ row, column }) => `    case ${row * columnVectors + column}u: { return ${sum(row, column)}; }\n`);
  return `${places.map(({ row, column }) => `var<private> ${sum(row, column)}: vec4f;\n`).join('')}
fn sumOf(row: u32, columnVector: u32) -> vec4f {
  switch (row * ${columnVectors}u + columnVector) {
${choices.join('')}    default: { return vec4f(); }
  }
}
`;
}

/**
 * Sums [rows, 4 * columnVectors] of products whose left factor has its depths in a vector: `addProducts(leftPlace, rightPlace)` adds those of four
 * depths, from the shader's `leftVector(leftPlace, row)` and `rightVector(rightPlace, depth, columnVector)`.
 */
export function sumsOfRows(rows: number, columnVectors: number): Shader {
  const right = (depth: number, column: number): string => `right${depth}_${column}`;
  const loads = range(4).flatMap((depth) => range(columnVectors).map((column) => `  let ${right(depth, column)} = rightVector(rightPlace, ${depth}u, ${column}u);\n`));
  const products = range(rows).map(
    (row) =>
      `  let left${row} = leftVector(leftPlace, ${row}u);\n${range(columnVectors)
        .flatMap((column) => LANES.map((lane, depth) => add(row, column, `left${row}.${lane}`, right(depth, column))))
        .join('')}`,
  );
  return { name: `sums of ${rows} rows`, source: `${sums(rows, columnVectors)}\nfn addProducts(leftPlace: u32, rightPlace: u32) {\n${loads.join('')}${products.join('')}}\n` };
}

/**
 * Sums [rows, 4 * columnVectors] of products whose left factor has four rows in a vector: `addProducts(leftPlace, rightPlace)` adds those of one
 * depth, from the shader's `leftVector(leftPlace, rowVector)` and `rightVector(rightPlace, columnVector)`.
 */
export function sumsOfRowVectors(rows: number, columnVectors: number): Shader {
  const loads = range(columnVectors).map((column) => `  let right${column} = rightVector(rightPlace, ${column}u);\n`);
  const products = range(rows / 4).map(
    (vector) =>
      `  let left${vector} = leftVector(leftPlace, ${vector}u);\n${LANES.flatMap((lane, index) => range(columnVectors).map((column) => add(4 * vector + index, column, `left${vector}.${lane}`, `right${column}`))).join('')}`,
  );
  return { name: `sums of ${rows} rows in vectors`, source: `${sums(rows, columnVectors)}\nfn addProducts(leftPlace: u32, rightPlace: u32) {\n${loads.join('')}${products.join('')}}\n` };
}
