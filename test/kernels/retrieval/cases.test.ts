import { test } from 'uvu';
import { testFamily } from '../../support/kernel-test.ts';

testFamily('retrieval');
test.run();
