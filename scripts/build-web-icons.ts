// npx tsx scripts/build-web-icons.ts [--root FOLDER] [--adapter lavapipe] Makes the icons of the page in web/: their
// index by the page's model, their drawings in files of some icons each, and the list of sets and licences.
// @iconify/json must be installed in the folder. The results are committed, so that building the page needs neither it
// nor an adapter. Run it again when web/public/model.safetensors was replaced.
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { findIconSets, iconSvg, readIconSet } from '../datasets/icon-sets.ts';
import { isJsonObject } from '../src/formats/untrusted.ts';
import { openIconIndex, serializeIconIndex, type IndexedIconSet } from '../src/retrieval/icon-index.ts';
import { ICON_FOLDER, ICON_INDEX, iconFile, ICONS_PER_FILE } from '../web/src/icon-files.ts';

/**
 * Outlined, solid, colored, two-toned and freehand, under licences that let everyone use them: MIT, ISC, Apache-2.0,
 * CC-BY-4.0.
 */
const SETS = [
  'fa7-solid',
  'flat-color-icons',
  'icon-park-twotone',
  'lucide',
  'mdi',
  'streamline-color',
  'streamline-freehand',
  'tabler',
];

const { values } = parseArgs({
  options: { root: { type: 'string', default: '.' }, adapter: { type: 'string', default: 'auto' } },
});
const project = fileURLToPath(new URL('..', import.meta.url));
const published = (name: string): string => path.join(project, 'web/public', name);

// With the digests of its drawings, so that another run embeds only what has changed.
const whole = path.join(project, '.cache/web-icons.safetensors');
await mkdir(path.dirname(whole), { recursive: true });
execFileSync(
  process.execPath,
  [
    '--import',
    'tsx',
    'src/cli/main.ts',
    'icons',
    '--sets',
    SETS.join(','),
    '--model',
    published('model.safetensors'),
    '--root',
    path.resolve(values.root),
    '--adapter',
    values.adapter,
    '--out',
    whole,
  ],
  { cwd: project, stdio: 'inherit' },
);
const index = { ...(await openIconIndex(await readFile(whole), whole)), sources: undefined };
await rm(published(ICON_FOLDER), { recursive: true, force: true });
await mkdir(published(ICON_FOLDER), { recursive: true });
const indexBytes = await serializeIconIndex(index);
await writeFile(published(ICON_INDEX), indexBytes);

const installed = await findIconSets(values.root);
const attributions: string[] = [];
let [first, bytes, files] = [0, 0, 0];
for (const indexed of index.sets) {
  const { prefix, count } = indexed;
  const set = installed.get(prefix);
  if (set === undefined) throw new Error(`the set ${prefix} is no longer installed`);
  const drawings = new Map((await readIconSet(set)).icons.map((icon) => [icon.name, iconSvg(icon)]));
  const documents = index.names.slice(first, first + count).map((name) => drawings.get(name));
  for (let number = 0; number * ICONS_PER_FILE < count; number++) {
    const packed = gzipSync(JSON.stringify(documents.slice(number * ICONS_PER_FILE, (number + 1) * ICONS_PER_FILE)), {
      level: 9,
    });
    await writeFile(published(iconFile(prefix, number)), packed);
    bytes += packed.length;
    files++;
  }
  attributions.push(
    attribution(indexed, JSON.parse(await readFile(set.info ?? set.icons, 'utf8')) as unknown, set.info === undefined),
  );
  first += count;
}
await writeFile(
  published(`${ICON_FOLDER}/attribution.md`),
  `# Where the icons come from

The page searches and shows these icons, as packaged by [Iconify](https://iconify.design) (\`@iconify/json\`). Their drawings are unchanged. Each set is
under its own licence; to use an icon, follow the licence of its set.

| set | name | artist | icons | licence |
|---|---|---|---:|---|
${attributions.join('\n')}
`,
);
await writeFile(
  path.join(project, 'web/src/icon-counts.json'),
  `${JSON.stringify({ icons: index.names.length, sets: index.sets.length })}\n`,
);
console.log(
  `${index.names.length} icons of ${index.sets.length} sets: index ${(indexBytes.length / 1e6).toFixed(2)} MB, drawings ${(bytes / 1e6).toFixed(2)} MB in ${files} files, model ${index.modelChecksum.slice(0, 16)}`,
);

/** A row of the list. @param content of the file that tells about the set */
function attribution({ prefix, title, count, licence }: IndexedIconSet, content: unknown, isWholeSet: boolean): string {
  const about = isJsonObject(content) && isWholeSet ? content.info : content;
  const author = isJsonObject(about) && isJsonObject(about.author) ? about.author : {};
  const licenceName = licence.spdx || licence.title;
  return `| ${prefix} | [${title}](${String(author.url)}) | ${String(author.name)} | ${count} | ${licence.url === '' ? licenceName : `[${licenceName}](${licence.url})`} |`;
}
