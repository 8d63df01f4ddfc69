import { parsePictureFilter, type PictureFilter } from '../../retrieval/picture-filter.ts';
import { RetrievalError } from '../../retrieval/vectors.ts';
import { bytes, text } from './kinds.ts';
import { OptionError, type OptionValues } from './option.ts';

/** Which pictures of an index are searched. */
export const PICTURE_FILTER_OPTIONS = {
  folder: text({
    placeholder: 'names',
    help: 'Search only pictures in these folders, separated by commas, as the paths of the index begin',
  }),
  label: text({
    placeholder: 'names',
    help: 'Search only pictures whose own folder has one of these names, separated by commas',
  }),
  after: text({ placeholder: 'date', help: 'Only pictures changed at this date (2026-01-31, UTC) or later' }),
  before: text({ placeholder: 'date', help: 'Only pictures changed before this date' }),
  minSize: bytes({ help: 'Only picture files of at least this size, such as 20K' }),
  maxSize: bytes({ help: 'Only picture files of at most this size' }),
} as const;

/** @throws OptionError for a date that is none */
export function pictureFilterOf({
  folder,
  label,
  after,
  before,
  minSize,
  maxSize,
}: OptionValues<typeof PICTURE_FILTER_OPTIONS>): PictureFilter {
  return refusingFilter(() =>
    parsePictureFilter({ folders: names(folder), labels: names(label), after, before, minSize, maxSize }),
  );
}

/** Turns what retrieval refuses into an error of the options. */
export function refusingFilter<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (cause) {
    throw cause instanceof RetrievalError
      ? new OptionError(`--folder, --label, --after, --before, --min-size, --max-size: ${cause.message}`, { cause })
      : cause;
  }
}

const names = (typed = ''): string[] =>
  typed
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
