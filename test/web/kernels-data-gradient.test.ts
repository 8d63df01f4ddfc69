import { test } from 'uvu';
import { checkKernelsInChromium } from '../support/browser-kernels.ts';

test('the data gradient kernels are right in Chromium', () => checkKernelsInChromium('data gradient'));

test.run();
