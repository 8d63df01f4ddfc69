// The matrix unit of a GPU, as convolution-matrix-units.wgsl uses it: fragments that the invocations of a subgroup hold together.
//
//   Sum [MATRIX_ROWS, MATRIX_COLUMNS] += Left [MATRIX_ROWS, MATRIX_DEPTH] * Right [MATRIX_DEPTH, MATRIX_COLUMNS]
//
// A library, no shader: the whole of what is specific to matrix units, in four functions over the workgroup memory of whoever uses
// it (leftTile, rightTile, sumTile, arrays of vectors). test/support/emulated-matrix-units.wgsl has the same four functions in plain WGSL,
// so that everything around them can be tested on adapters without such units.
//
// Offsets and strides count vectors of four. All invocations of a subgroup must call these functions together, with the same
// arguments: other subgroups may do something else meanwhile, which no analysis of uniformity knows of, hence the diagnostic that
// src/gpu/pipelines.ts disables.
// Needs: the feature chromium-experimental-subgroup-matrix with a configuration of these sizes and types.
// Constants: Scalar (f16 or f32), MATRIX_ROWS, MATRIX_COLUMNS, MATRIX_DEPTH; LEFT_STRIDE, RIGHT_STRIDE of the tiles' rows and
//   RIGHT_TRANSPOSED (the tile of the right factor has a row for each column) come from the shader.
// Source: the proposal Subgroup Matrix of the WebGPU group, gpuweb/proposals/subgroup-matrix.md, October 2026.

alias Left = subgroup_matrix_left<Scalar, MATRIX_DEPTH, MATRIX_ROWS>;
alias Right = subgroup_matrix_right<Scalar, MATRIX_COLUMNS, MATRIX_DEPTH>;
alias Sum = subgroup_matrix_result<f32, MATRIX_COLUMNS, MATRIX_ROWS>;

fn loadLeft(offset: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&leftTile, offset, LEFT_STRIDE);
}

fn loadRight(offset: u32) -> Right {
  if (RIGHT_TRANSPOSED) {
    return subgroupMatrixLoad<Right, col_major>(&rightTile, offset, RIGHT_STRIDE);
  }
  return subgroupMatrixLoad<Right, row_major>(&rightTile, offset, RIGHT_STRIDE);
}

fn multiplyAdd(left: Left, right: Right, sum: Sum) -> Sum {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

fn storeSum(offset: u32, sum: Sum) {
  subgroupMatrixStore<row_major>(&sumTile, offset, sum, MATRIX_COLUMNS / 4u);
}
