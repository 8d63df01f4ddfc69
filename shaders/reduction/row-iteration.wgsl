// The elements of a matrix that an invocation visits, all of one column: the device's side of elementwiseBlocks in kernels/reduction/row-blocks.ts.
//
// A library, no shader: put before those that go through a matrix element by element with parameters of its columns. What the shader has:
//   parameters   begins with rows, columns, columnInvocations, rowInvocations, rowsPerBlock, blocks

// The elements [begin, end) in steps of stride that an invocation visits.
struct RowRange {
  column: u32,
  begin: u32,
  end: u32,
  stride: u32,
}

fn rowRangeOf(group: vec3u, invocation: u32) -> RowRange {
  let rowInvocation = invocation / parameters.columnInvocations;
  let column = group.x * parameters.columnInvocations + invocation % parameters.columnInvocations;
  let inside = rowInvocation < parameters.rowInvocations && column < parameters.columns;
  let firstRow = group.y * parameters.rowsPerBlock;
  let endRow = select(0u, min(firstRow + parameters.rowsPerBlock, parameters.rows), inside);
  return RowRange(column, (firstRow + rowInvocation) * parameters.columns + column, endRow * parameters.columns, parameters.rowInvocations * parameters.columns);
}
