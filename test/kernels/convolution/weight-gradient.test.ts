import { test } from 'uvu';
import { testModule } from '../../support/kernel-test.ts';

testModule('convolution', 'weight-gradient');
test.run();
