import { test } from 'uvu';
import { checkKernelsInChromium } from '../support/browser-kernels.ts';

test('the weight gradient kernels are right in Chromium', () => checkKernelsInChromium('weight gradient'));

test.run();
