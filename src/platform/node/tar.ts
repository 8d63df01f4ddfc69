import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const BLOCK = 512;

/** Unpacks the plain files of a ustar archive into a folder. Names that would lead out of the folder are refused. */
export function unpackTar(archive: Uint8Array, folder: string): void {
  const text = new TextDecoder();
  const field = (start: number, length: number): string =>
    text
      .decode(archive.subarray(start, start + length))
      .replace(/\0.*$/s, '')
      .trim();
  for (let header = 0; header + BLOCK <= archive.length && archive[header] !== 0;) {
    const name = [field(header + 345, 155), field(header, 100)].filter(Boolean).join('/');
    const mode = parseInt(field(header + 100, 8), 8);
    const size = parseInt(field(header + 124, 12), 8);
    const type = field(header + 156, 1);
    const content = header + BLOCK;
    if (type === '' || type === '0') {
      const target = path.resolve(folder, name);
      if (!target.startsWith(path.resolve(folder) + path.sep))
        throw new Error(`the archive holds ${name}, which lies outside of it`);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, archive.subarray(content, content + size));
      chmodSync(target, mode & 0o777);
    }
    header = content + Math.ceil(size / BLOCK) * BLOCK;
  }
}
