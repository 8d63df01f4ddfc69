// npm run bench:predict
// Writes docs/kernels/predictions.md.
import { writeFileSync } from 'node:fs';
import { predictionsPage } from './predictions.ts';

writeFileSync(new URL('../docs/kernels/predictions.md', import.meta.url), await predictionsPage());
