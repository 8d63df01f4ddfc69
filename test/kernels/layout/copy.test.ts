import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { copy } from '../../../kernels/layout/copy.ts';
import { testDevice } from '../../support/device.ts';

test('copy: a range beyond an end is refused', async () => {
  const { traits } = await testDevice();
  const problem = { count: 4, sourceLength: 8, sourceOffset: 4, destinationLength: 8, destinationOffset: 4 };
  assert.throws(() => copy.calls({ ...problem, sourceOffset: 5 }, traits), /beyond an end/);
  assert.throws(() => copy.calls({ ...problem, destinationOffset: 5 }, traits), /beyond an end/);
});

test.run();
