// npm run size [-- number of modules]
// What pages load of the package, and its largest modules, in minified bytes.
import { fileURLToPath } from 'node:url';
import { bundle, describeBundle, largestModules, PAGES } from './page-bundles.ts';

const count = Number(process.argv[2] ?? 10);
for (const page of PAGES) {
  const made = await bundle(page, fileURLToPath(new URL('..', import.meta.url)));
  console.log(`${describeBundle(page, made)}\n${largestModules(made, count)}\n`);
}
