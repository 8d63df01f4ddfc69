import { defineCommand } from '../command.ts';
import { JSON_OPTION, SHARED_OPTIONS } from '../options/shared.ts';
import { openGivenFolder } from '../files/given-index.ts';
import { printText } from '../display/progress.ts';

export const INDEX_INFO_OPTIONS = {
  json: JSON_OPTION,
  debug: SHARED_OPTIONS.debug,
} as const;

export const indexInfoCommand = defineCommand({
  name: 'index info',
  summary: 'Print the contents of an index folder, without reading its parts',
  options: INDEX_INFO_OPTIONS,
  positionals: { name: 'folder', help: 'Index folders from sketchgrad embed' },
  async run({ json }, { positionals }) {
    for (const folder of positionals) {
      const index = await openGivenFolder(folder);
      const { modelChecksum, dimension, type, parts } = index.manifest;
      const about = {
        folder,
        pictures: index.count,
        dimension,
        type,
        parts: parts.length,
        bytes: await index.bytes(),
        model: modelChecksum,
      };
      printText(
        json
          ? `${JSON.stringify(about)}\n`
          : `${folder}: ${about.pictures} pictures, ${dimension} components each (${type}), in ${about.parts} ${about.parts === 1 ? 'part' : 'parts'}, ${(about.bytes / 1e6).toFixed(1)} MB, of the model ${modelChecksum.slice(0, 16)}\n`,
      );
    }
  },
});
