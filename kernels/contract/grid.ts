/** Splits a number of workgroups over x and y where one dimension is too short; shaders restore x + y * gridWidth. */
export function foldGrid(count: number, limit = 65535): readonly [number, number, number] {
  if (count <= limit) return [count, 1, 1];
  const rows = Math.ceil(count / limit);
  return [Math.ceil(count / rows), rows, 1];
}

export const ceilDivide = (a: number, b: number): number => Math.ceil(a / b);
