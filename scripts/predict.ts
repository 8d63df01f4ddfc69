// npm run bench:predict
// Writes docs/lab/predictions.md.
import { writeFileSync } from 'node:fs';
import { predictionsPage } from './predictions.ts';

writeFileSync(new URL('../docs/lab/predictions.md', import.meta.url), await predictionsPage());
