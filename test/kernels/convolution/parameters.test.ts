import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FIELDS, reversed, sizesOf, withParameters } from '../../../kernels/convolution/parameters.ts';
import { sized } from '../../../kernels/convolution/problem.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';

test('the fields are those that the library declares, in its order', () => {
  const { source } = shaders.convolutionParameters;
  assert.equal(
    [...source.matchAll(/^(\w+): u32,$/gm)].map(([, name]) => name),
    FIELDS,
  );
});

test('a field has its place in the block by its name, and those left out are 0', () => {
  const shape = sized(2, [9, 11], [4, 8], [3, 5], [2, 1], [1, 2]);
  const { parameters, libraries } = withParameters(
    { ...reversed(sizesOf(shape, 7)), appliesRelu: 1 },
    { shader: shaders.im2col, operands: [], workgroups: [1, 1, 1] },
  );
  assert.equal(libraries, [shaders.convolutionParameters]);
  assert.equal(parameters?.slice(0, 13), [7, 5, 11, 8, 9, 11, 4, 3, 5, 2, 1, 1, 2]);
  assert.equal(parameters?.slice(13), [...Array<number>(FIELDS.length - 14).fill(0), 1]);
});

test.run();
