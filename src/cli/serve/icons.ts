import { existsSync } from 'node:fs';
import { findIconSets } from '../../../datasets/icon-sets.ts';
import { ICONS_COMMAND, openIconIndex } from '../../retrieval/icon-index.ts';
import { ICON_STYLES } from '../../retrieval/icon-style.ts';
import { assertSameModel } from '../../retrieval/index-file.ts';
import { IconSearchService } from '../../server/icon-search-service.ts';
import { IconSources } from '../../server/icon-sources.ts';
import type { RetrievalModel } from '../../models/retrieval-model.ts';
import { readGivenFile } from '../files/model-file.ts';
import { OptionError } from '../options/option.ts';
import { note } from '../display/progress.ts';
import type { ServedGallery } from './served-gallery.ts';

/** The address of an icon's drawing: its set and its name, as Iconify names them. */
const ADDRESS = /^\/icons\/([a-z0-9-]{1,100})\/([a-z0-9-]{1,200})\.svg$/;
/** A drawing is a stranger's document: opened by itself it may load nothing and run nothing. */
const DRAWING_HEADERS = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
};

/**
 * Serves an index of icons.
 * @param root the folder that installed sets are looked for from
 * @param model that the gallery frees when it is closed
 */
export async function serveIcons(
  indexPath: string,
  root: string,
  model: RetrievalModel,
  checksum: string,
  cutOff: number | undefined,
): Promise<ServedGallery> {
  if (!existsSync(indexPath))
    throw new OptionError(`--icons: ${indexPath} does not exist; ${ICONS_COMMAND} --all --out ${indexPath} makes it`);
  const index = await openIconIndex(await readGivenFile(indexPath, '--icons'), indexPath);
  assertSameModel(index, checksum, `${ICONS_COMMAND} --out ${indexPath}`);
  const installed = await findIconSets(root);
  const absent = index.sets.filter(({ prefix }) => !installed.has(prefix)).map(({ prefix }) => prefix);
  if (absent.length > 0)
    note(
      `${absent.length} sets of the index are not installed for ${root}, so that their icons are found without drawings: ${absent.slice(0, 5).join(', ')}${absent.length > 5 ? ' …' : ''}. npm install @iconify-json/${absent[0]} gets one; --root names another folder`,
    );
  const service = await IconSearchService.open(model, index, { cutOff });
  const sources = new IconSources(index, installed);
  return {
    title: `${index.names.length} icons of ${index.sets.length} sets`,
    cutOff,
    rows: index.names.length,
    about: { icons: index.names.length, sets: index.sets, styles: ICON_STYLES, model: index.modelChecksum },
    searcher: service,
    async file(pathname) {
      const [, prefix, name] = ADDRESS.exec(pathname) ?? [];
      const svg = prefix === undefined ? undefined : await sources.svg(prefix, name);
      return svg === undefined
        ? undefined
        : { type: 'image/svg+xml; charset=utf-8', content: Buffer.from(svg), headers: DRAWING_HEADERS };
    },
    async close() {
      await service.close();
      await sources.close();
      model.storage.destroy();
    },
  };
}
