/** Options of the commands that search icons. */
import { text } from './kinds.ts';

/** `--icons`, where icons are searched in place of pictures. */
export const ICON_INDEX_OPTION = text({
  placeholder: 'file',
  help: 'In place of pictures, an index of icons that sketchgrad icons made with this model',
});

/** `--root` of the commands that read the drawings of icons. */
export const ICON_ROOT_OPTION = text({
  placeholder: 'folder',
  default: '.',
  help: "Look for installed icon sets in this folder's node_modules and those of the folders above it",
});
