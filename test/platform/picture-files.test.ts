import { execFileSync } from 'node:child_process';
import type { Dirent } from 'node:fs';
import promises, { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PictureFolder } from '../../src/cli/files/picture-folder.ts';
import { describeUnread, listFolders, listPictures } from '../../src/platform/node/picture-files.ts';

let root = '';
test.before.each(async () => void (root = await mkdtemp(path.join(tmpdir(), 'sketchgrad-files-'))));
test.after.each(() => rm(root, { recursive: true, force: true }));

const put = async (...names: readonly string[]): Promise<void> => {
  for (const name of names) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>');
  }
};
const link = (target: string, name: string): Promise<void> => symlink(target, path.join(root, name));

/** The user of least rights, for whom a folder's mode counts where the tests are the superuser's. */
const NOBODY = 65534;

async function asNobody<Result>(work: () => Promise<Result>): Promise<Result> {
  if (process.geteuid?.() !== 0) return work();
  // The folder is the superuser's own, and others must get as far as what is closed in it.
  await chmod(root, 0o755);
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

test('each folder is listed once, by its own name, whatever links lead to it', async () => {
  await put('a.png', 'sub/b.JPG', 'sub/deeper/c.svg');
  await link('.', 'again');
  await link('..', 'sub/up');
  await link('sub/deeper', 'a-link');
  await link('sub/b.JPG', 'same.jpg');
  assert.equal(await listPictures(root), {
    names: ['a.png', 'same.jpg', 'sub/b.JPG', 'sub/deeper/c.svg'],
    skipped: [],
    unread: new Map(),
  });
  assert.equal((await listPictures(root, { deep: false })).names, ['a.png', 'same.jpg']);
  assert.equal((await listFolders(root)).names, ['a-link', 'again', 'sub']);
  // The same through a link to the root, and from another folder through a link to it.
  const other = await mkdtemp(path.join(tmpdir(), 'sketchgrad-files-'));
  await symlink(root, path.join(other, 'pictures'));
  assert.equal((await listPictures(path.join(other, 'pictures'))).names, [
    'a.png',
    'same.jpg',
    'sub/b.JPG',
    'sub/deeper/c.svg',
  ]);
  assert.equal((await listPictures(other)).names, [
    'pictures/a.png',
    'pictures/same.jpg',
    'pictures/sub/b.JPG',
    'pictures/sub/deeper/c.svg',
  ]);
  await rm(other, { recursive: true });
});

test('hidden files and folders of systems are passed over, by their names and by links', async () => {
  await put(
    'a.png',
    '.b.png',
    '._a.png',
    '.Trash-1000/files/c.png',
    '@eaDir/d.png',
    'sub/@eaDir/e.png',
    '$RECYCLE.BIN/f.png',
    '__MACOSX/g.png',
    'lost+found/h.png',
  );
  await link('.Trash-1000/files', 'found');
  await link('.b.png', 'plain.png');
  assert.equal(await listPictures(root), { names: ['a.png'], skipped: [], unread: new Map() });
  assert.equal((await listFolders(root)).names, ['sub']);
});

test('what is no file and what leads nowhere is skipped and told', async () => {
  await put('a.png', 'notes.txt', 'raw/b.HEIC', 'raw/c.heic', 'raw/d.bmp');
  execFileSync('mkfifo', [path.join(root, 'pipe.png'), path.join(root, 'pipe')]);
  await link('/nowhere', 'old');
  await link('itself.png', 'itself.png');
  const listing = await listPictures(root);
  assert.equal(listing.names, ['a.png']);
  assert.equal(
    listing.skipped.map(({ path: file, reason }) => [path.relative(root, file), reason]),
    [
      ['itself.png', 'the link leads to itself'],
      ['old', 'the link leads nowhere'],
      ['pipe.png', 'it is no file'],
    ],
  );
  assert.equal([...listing.unread].sort(), [
    ['.bmp', 1],
    ['.heic', 2],
  ]);
  assert.match(
    describeUnread(listing, 'photos') ?? '',
    /^photos: (2 .heic, 1 .bmp|1 .bmp, 2 .heic) passed over: these formats are not read; convert/,
  );
});

test('a folder that cannot be read is skipped and told, a name that is not UTF-8 too', async () => {
  await put('a.png', 'closed/b.png');
  await chmod(path.join(root, 'closed'), 0);
  execFileSync('bash', ['-c', 'mkdir "$(printf \'caf\\351\')" && touch "$(printf \'caf\\351/b.png\')"'], { cwd: root });
  assert.equal((await listFolders(root)).names, ['closed']);
  const { names, skipped } = await asNobody(() => listPictures(root));
  assert.equal(names, ['a.png']);
  assert.equal(skipped.map(({ reason }) => reason.replace(/ '.*/, '')).sort(), [
    'it cannot be read: EACCES: permission denied, scandir',
    'its name is not UTF-8; rename it',
  ]);
  assert.ok(skipped.some(({ path: file }) => file === path.join(root, 'closed')));
  const refused = await asNobody(() => listPictures(path.join(root, 'closed'))).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
  assert.is(refused, 'EACCES', 'the folder itself');
  await chmod(path.join(root, 'closed'), 0o700);
});

test('deep folders are listed as far as the system has paths, and told from there on', async () => {
  const name = 'd'.repeat(200);
  execFileSync('bash', ['-c', `for i in $(seq 25); do mkdir ${name} && cd -P ${name} && cp /dev/null p.png; done`], {
    cwd: root,
  });
  const { names, skipped } = await listPictures(root);
  assert.ok(names.length >= 15, String(names.length));
  assert.is(skipped.length, 1);
  assert.match(skipped[0].reason, /cannot be read: ENAMETOOLONG/);
  execFileSync('rm', ['-rf', name], { cwd: root });
});

test('a folder of 130,000 pictures is listed to its end, and in order', async () => {
  const COUNT = 130_000;
  await put('wide/a.svg');
  const [like] = await promises.readdir(path.join(root, 'wide'), { withFileTypes: true });
  // So many files take seconds to write; scripts/trials/large-folder.ts does it. What the system answers is the same
  // for all of them but the name.
  const { readdir } = promises;
  const wide = async (): Promise<Dirent[]> =>
    Array.from({ length: COUNT }, (_, index) =>
      Object.assign(Object.create(like) as Dirent, { name: `${index}.${index % 10 === 0 ? 'HEIC' : 'JPG'}` }),
    );
  replaceReaddir(((folder: string, options: { withFileTypes: true }) =>
    folder.endsWith('wide') ? wide() : readdir(folder, options)) as typeof readdir);
  try {
    const { names, skipped, unread } = await listPictures(root);
    const expected = Array.from({ length: COUNT }, (_, index) => index)
      .filter((index) => index % 10 !== 0)
      .map((index) => path.join('wide', `${index}.JPG`));
    assert.ok(names.join('\n') === expected.sort().join('\n'), `${names.length} names, of ${expected.length}`);
    assert.equal([skipped.length, [...unread]], [0, [['.heic', COUNT / 10]]]);
  } finally {
    replaceReaddir(readdir);
  }
});

/** Replaces the system's function wherever it was imported. */
function replaceReaddir(by: typeof promises.readdir): void {
  Object.assign(promises, { readdir: by });
  syncBuiltinESMExports();
}

test('serve shows what is listed and nothing else', async () => {
  await put('a.svg', 'sub/b.svg', '.Trash/c.svg', 'notes.txt');
  await link('.', 'loop');
  await link('.Trash/c.svg', 'd.svg');
  execFileSync('mkfifo', [path.join(root, 'pipe.png')]);
  const paths = [
    'a.svg',
    path.join(root, 'sub/b.svg'),
    '.Trash/c.svg',
    'notes.txt',
    'loop/a.svg',
    'd.svg',
    'pipe.png',
    'gone.png',
  ];
  const folder = await PictureFolder.open(root);
  const found = await folder.find({ paths });
  assert.equal(
    found.map(({ row, name, path: inIndex }) => [row, name, inIndex]),
    [
      [0, 'a.svg', paths[0]],
      [1, 'sub/b.svg', paths[1]],
    ],
  );
  assert.ok(found.every(({ size, time }) => size > 0 && time > 0));
  const at = async (name: string): Promise<string[]> => (await folder.at(name)).map((picture) => picture.name);
  assert.equal(await at('sub'), ['sub/b.svg']);
  for (const name of ['.Trash', '.Trash/c.svg', 'notes.txt', 'pipe.png', 'gone.png']) assert.equal(await at(name), []);
  const [linked] = await folder.at('d.svg');
  assert.is(await folder.look(linked), undefined, 'a link to a hidden file');
});

test.run();
