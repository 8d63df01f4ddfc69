import { STORE_FORMS } from '../../stores/open-store.ts';
import { text } from './kinds.ts';

/** `--store` of the commands that search pictures. */
export const STORE_OPTION = text({
  placeholder: 'store',
  default: 'exact',
  help: `Where the pictures' vectors are: ${STORE_FORMS}. exact reads --index into memory; sketchgrad index load fills the others`,
});
