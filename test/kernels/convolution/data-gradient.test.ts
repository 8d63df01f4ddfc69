import { test } from 'uvu';
import { testModule } from '../../support/kernel-test.ts';

testModule('convolution', 'data-gradient');
test.run();
