import { test } from 'uvu';
import { checkKernelsInChromium } from '../support/browser-kernels.ts';

test('the other kernels are right in Chromium', () => checkKernelsInChromium('other'));

test.run();
