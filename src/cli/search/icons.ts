import { iconImage } from '../../../datasets/icon-drawings.ts';
import { findIconSets, readIconSet } from '../../../datasets/icon-sets.ts';
import { ImageError } from '../../platform/node/images.ts';
import { markBelow } from '../../retrieval/cut-off.ts';
import { checkFilter, IconRanking, licenceName, type IconFilter } from '../../retrieval/icon-ranking.ts';
import {
  iconEmbedding,
  iconId,
  iconRow,
  ICONS_COMMAND,
  openIconIndex,
  type IconIndex,
} from '../../retrieval/icon-index.ts';
import type { IconStyle } from '../../retrieval/icon-style.ts';
import { assertSameModel } from '../../retrieval/index-file.ts';
import { RetrievalError } from '../../retrieval/vectors.ts';
import { foundIcons, type FoundIcon } from '../../server/icon-search-service.ts';
import type { ContactSheetRow } from '../display/contact-sheet.ts';
import { readGivenFile } from '../files/model-file.ts';
import { OptionError } from '../options/option.ts';
import { note } from '../display/progress.ts';
import {
  GONE,
  rankWithout,
  sheetQuery,
  SHEET_IMAGE,
  type FoundBySketch,
  type SearchedIndex,
} from './searched-index.ts';
import { textTable } from '../display/text-table.ts';

/** What was typed for --set, --style and --licence. */
export interface IconFilterWords {
  readonly set?: string;
  readonly style?: string;
  readonly licence?: string;
}

/** Opens an index of icons. @param root the folder that installed sets are looked for from, for the contact sheet */
export async function openSearchedIcons(
  file: string,
  checksum: string,
  words: IconFilterWords,
  cutOff: number | undefined,
  root: string,
): Promise<SearchedIndex<FoundIcon>> {
  const index = await openIconIndex(await readGivenFile(file, '--icons'), file);
  assertSameModel(index, checksum, `${ICONS_COMMAND} --out ${file}`);
  const filter = filterOf(index, words);
  const ranking = new IconRanking(index);
  return {
    sketches: 'icon',
    find(embedding, top, without = []) {
      const { nothingLike, results } = markBelow(
        foundIcons(
          index,
          rankWithout((k) => ranking.rank(embedding, k, filter), top, without),
        ),
        cutOff,
      );
      return { nothingLike, results };
    },
    like(name) {
      const row = rowOf(index, name);
      if (row === undefined)
        throw new OptionError(`--like: ${file} has no icon ${name}; its icons are such as ${iconId(index, 0)}`);
      return { row, embedding: iconEmbedding(index, row) };
    },
    table(results) {
      const titles = new Map(index.sets.map(({ prefix, title }) => [prefix, title]));
      const rows = results.map((found) => [
        String(found.rank).padStart(4),
        found.similarity.toFixed(4),
        found.icon,
        titles.get(found.set) ?? found.set,
        found.style,
        licenceName(found),
        found.belowCutOff === true ? 'below' : '',
      ]);
      return textTable(
        ['rank', 'cosine', 'icon', 'set', 'style', 'licence', cutOff === undefined ? '' : 'cut-off'],
        rows,
        { left: 6 },
      );
    },
    sheetRow: (found) => iconSheetRow(found, root),
  };
}

function rowOf(index: IconIndex, id: string): number | undefined {
  const [prefix, name] = id.split(':', 2);
  return iconRow(index, prefix, name);
}

function filterOf(index: IconIndex, { set, style, licence }: IconFilterWords): IconFilter {
  const names = (typed = ''): string[] =>
    typed
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
  const filter = { sets: names(set), styles: names(style) as IconStyle[], licences: names(licence) };
  try {
    checkFilter(index.sets, filter);
  } catch (cause) {
    throw cause instanceof RetrievalError
      ? new OptionError(`--set, --style, --licence: ${cause.message}`, { cause })
      : cause;
  }
  return filter;
}

/** Icons whose sets are not installed are shown as gray squares. */
async function iconSheetRow({ sketches, results }: FoundBySketch<FoundIcon>, root: string): Promise<ContactSheetRow> {
  const installed = await findIconSets(root);
  const drawings = new Map<string, Uint8Array>();
  for (const prefix of new Set(results.map(({ set }) => set))) {
    const files = installed.get(prefix);
    const wanted = results.filter(({ set }) => set === prefix).map(({ icon }) => icon.slice(prefix.length + 1));
    if (files === undefined)
      note(
        `${wanted.length} icons of ${prefix} are not on the sheet: npm install @iconify-json/${prefix} gets their drawings`,
      );
    for (const icon of files === undefined ? [] : (await readIconSet(files)).icons) {
      if (!wanted.includes(icon.name)) continue;
      const id = `${prefix}:${icon.name}`;
      await iconImage(icon, SHEET_IMAGE, id)
        .then(({ pixels }) => drawings.set(id, pixels))
        .catch((error: unknown) => {
          if (!(error instanceof ImageError)) throw error;
          note(error.message);
        });
    }
  }
  const blank = new Uint8Array(3 * SHEET_IMAGE ** 2).fill(GONE);
  const shown = results.map(({ icon, similarity }) => ({
    pixels: drawings.get(icon) ?? blank,
    size: SHEET_IMAGE,
    label: icon,
    hit: false,
    score: similarity,
  }));
  return { ...(await sheetQuery(sketches)), results: shown };
}
