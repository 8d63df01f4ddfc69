import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ceilings } from '../../src/benchmark/ceilings.ts';
import type { Result } from '../../bench/support/measure.ts';
import { productSummary } from '../../bench/support/matrix-products.ts';
import { productOf } from '../../bench/support/product.ts';
import {
  ceilingsTable,
  digits,
  failureList,
  kernelTables,
  rooflineWarning,
  variantTables,
} from '../../bench/support/tables.ts';

const ceilings: Ceilings = {
  gigaflops: 100,
  gigabytes: 10,
  bufferCopyGigabytes: 20,
  workgroupGigabytes: 50,
  submitAndWait: 0.1,
  dispatch: 0.02,
  variants: { gigaflops: 'vec4f', gigabytes: 'vec4f', workgroupGigabytes: 'f32' },
};

const result = (more: Partial<Result>): Result => ({
  kernel: 'k',
  problem: 'p',
  variant: 'v',
  chosen: true,
  flop: 2e8,
  bytes: 1e6,
  dispatches: 1,
  repeats: 1,
  samples: [4, 4, 4],
  ...more,
});

test('three significant digits, without an exponent', () => {
  assert.equal([0, 1234.5, 12.345, 0.0012345, 1, NaN].map(digits), ['0', '1235', '12.3', '0.00123', '1.00', '-']);
});

test('a line has time, spread, rates, share of the roofline, the chosen variant and the next best', () => {
  const table = kernelTables(
    [
      result({ variant: 'chosen', samples: [4, 4, 5, 3, 4] }),
      result({ variant: 'worse', chosen: false, samples: [12] }),
      result({ variant: 'worst', chosen: false, samples: [40] }),
    ],
    ceilings,
  );
  const [kernel, head, , line, ...rest] = table.split('\n');
  assert.is(kernel, 'k');
  assert.match(head, /^shape +ms +\+- +GFLOP\/s +GB\/s +roofline +bound +variant +next best +its time$/);
  assert.match(line, /^p +4\.00 +0 +50\.0 +0\.250 +50% +arithmetic +chosen +worse +3\.00 x$/);
  assert.equal(rest, []);
});

test('a choice that is not the fastest shows', () => {
  assert.match(
    kernelTables([result({}), result({ variant: 'better', chosen: false, samples: [2] })], ceilings),
    /better +0\.50 x/,
  );
});

const products = [
  result({ kernel: 'gemm', problem: 'square', product: 'plain' }),
  result({ kernel: 'gemm', problem: 'square', product: 'plain', variant: 'better', chosen: false, samples: [2] }),
  result({ kernel: 'gemm', problem: '3x3', product: 'implicit', samples: [2.5] }),
  result({ kernel: 'gemm', problem: 'by Winograd', product: 'implicit', samples: [1] }),
  result({ kernel: 'other', problem: 'no product', samples: [0.1] }),
];

test('GEMM-shaped kernels are held against the best plain product, whichever variant it is of', () => {
  const [gemm, other] = kernelTables(products, ceilings).split('\n\n');
  assert.match(gemm, /bound +of the best product +variant/);
  assert.match(gemm, /^square .* arithmetic +50% +v +better/m);
  assert.match(gemm, /^3x3 .* arithmetic +80% +v/m);
  assert.match(gemm, /^by Winograd .* arithmetic +200% +v/m);
  assert.not.match(other, /best product/);
});

test('a summary says which products fall short of 70 % of the best', () => {
  assert.is(
    productSummary(products, ceilings),
    'Best product of matrices in f32: 100.0 GFLOP/s (gemm square, better).\nOf it, 2 of 3 GEMM-shaped problems reach 70 %; below: gemm square 50 % (arithmetic, 50 % of the roofline).',
  );
  assert.is(productSummary(products.slice(2), ceilings), '');
});

test('products of 16-bit floats are held against one another', () => {
  const halves = [
    result({ kernel: 'gemm_f16', product: 'plain', type: 'f16', samples: [20] }),
    result({ kernel: 'gemm_f16', problem: '3x3', product: 'implicit', type: 'f16', samples: [10] }),
  ];
  const [single, half, ...rest] = productSummary([...products, ...halves], ceilings).split('\n\n');
  assert.is(single, productSummary(products, ceilings));
  assert.is(
    half,
    'Best product of matrices in f16: 10.0 GFLOP/s (gemm_f16 p, v).\nOf it, 2 of 2 GEMM-shaped problems reach 70 %.',
  );
  assert.equal(rest, []);
  assert.match(kernelTables([...products, ...halves], ceilings), /^3x3 .* 200% +v/m);
});

test('a convolution of 1x1 that touches every pixel is a plain product', () => {
  const shape = {
    batch: 1,
    height: 4,
    width: 4,
    inputChannels: 8,
    outputChannels: 8,
    kernel: [1, 1],
    stride: [1, 1],
    padding: [0, 0],
  } as const;
  assert.is(productOf(shape), 'plain');
  assert.is(productOf({ ...shape, stride: [2, 2] }), 'implicit');
  assert.is(productOf({ ...shape, kernel: [3, 3], padding: [1, 1] }), 'implicit');
});

test('where a filter left the chosen variant out, the fastest stands in, and it is said', () => {
  assert.match(kernelTables([result({ chosen: false })], ceilings), /v \(not chosen\) +- +-$/m);
});

test('kernels without arithmetic have no GFLOP/s', () => {
  assert.match(kernelTables([result({ flop: 0, bytes: 1e7 })], ceilings), /p +4\.00 +0 +- +2\.50 +25% +latency/);
});

test('with --variants there is a line for each, the fastest first, the chosen one marked', () => {
  const lines = variantTables([result({}), result({ variant: 'w', chosen: false, samples: [2] })], ceilings).split(
    '\n',
  );
  assert.match(lines[0], /^k: p$/);
  assert.match(lines[3], /^w +2\.00 .* 1 of 1 +1\.00 x$/);
  assert.match(lines[4], /^v \* +4\.00 .* 3 of 1 +2\.00 x$/);
});

test('results above the roofline get a warning, the furthest first', () => {
  const fast = result({ problem: 'fast', samples: [0.576] });
  assert.is(rooflineWarning([result({})], ceilings), '');
  const [warning, ...lines] = rooflineWarning(
    [result({}), result({ problem: 'a little', samples: [1.9] }), fast],
    ceilings,
  ).split('\n');
  assert.match(warning, /^WARNING: 2 of the lines are above 100 % of the roofline/);
  assert.equal(lines, ['  k: fast (347%)', '  k: a little (105%)']);
});

test('failures are listed by kernel, problem and variant', () => {
  const failed = result({ samples: [], failure: 'does not compile' });
  assert.is(failureList([failed, result({})]), 'k, p, v: does not compile');
  assert.is(kernelTables([failed], ceilings), '');
});

test('ceilings with their units', () => {
  const table = ceilingsTable(ceilings);
  assert.match(table, /multiply-adds +100 GFLOP\/s +vec4f/);
  assert.match(table, /one more dispatch in a pass +20\.0 us/);
});

test.run();
