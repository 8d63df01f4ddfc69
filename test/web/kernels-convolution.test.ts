import { test } from 'uvu';
import { checkKernelsInChromium } from '../support/browser-kernels.ts';

test('the convolution kernels are right in Chromium', () => checkKernelsInChromium('convolution'));

test.run();
