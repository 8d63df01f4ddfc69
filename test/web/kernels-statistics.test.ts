import { test } from 'uvu';
import { checkKernelsInChromium } from '../support/browser-kernels.ts';

test('the convolution that gives statistics is right in Chromium', () => checkKernelsInChromium('statistics'));

test.run();
