// The elements of a matrix that an invocation visits, all of one column: the device's side of visitingBlocks in kernels/reduction/row-blocks.ts.
//
// A library, no shader: put before those that go through a matrix element by element with parameters of its columns. What the shader has:
//   parameters   begins with rows, columns, columnLanes, rowLanes, rowsPerBlock, blocks

// The elements [begin, end) in steps of stride that an invocation visits.
struct Walk {
  column: u32,
  begin: u32,
  end: u32,
  stride: u32,
}

fn walkOf(group: vec3u, lane: u32) -> Walk {
  let rowLane = lane / parameters.columnLanes;
  let column = group.x * parameters.columnLanes + lane % parameters.columnLanes;
  let inside = rowLane < parameters.rowLanes && column < parameters.columns;
  let firstRow = group.y * parameters.rowsPerBlock;
  let endRow = select(0u, min(firstRow + parameters.rowsPerBlock, parameters.rows), inside);
  return Walk(column, (firstRow + rowLane) * parameters.columns + column, endRow * parameters.columns, parameters.rowLanes * parameters.columns);
}
