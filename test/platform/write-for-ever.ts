/**
 * Writes a file again and again until it is killed: contents of one repeated byte, 1, 2, 3, ... Run by files.test.ts.
 */
import { writeFileAtomically } from '../../src/platform/node/files.ts';

const [target, size] = process.argv.slice(2);
for (let value = 1; ; value = (value % 255) + 1) {
  await writeFileAtomically(target, new Uint8Array(Number(size)).fill(value));
  if (value === 1) process.stdout.write('writing\n');
}
