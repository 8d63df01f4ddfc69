/**
 * What every reader of files shares: errors whose messages are bounded, text of a file made printable, and JSON of
 * bounded depth. A file may come from anywhere, and its names and values end up in messages that a person reads in a
 * terminal.
 */

/** Characters of an error's message at most. */
export const LONGEST_MESSAGE = 2000;
/** Characters at the end of a cut message that stay: they often say what to do. */
const KEPT_END = 400;
/** Characters of a quoted name or value. */
const LONGEST_QUOTE = 80;
/** Objects and lists in one another. The deepest that sketchgrad writes is 5. */
const DEEPEST_JSON = 64;

/**
 * An error about something that came from outside. Its message has LONGEST_MESSAGE characters at most and no control
 * characters.
 */
export class BoundedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(bounded(message), options);
  }
}

/** A text cut to a length, the middle left out, and with control characters other than line ends and tabs escaped. */
export function bounded(text: string, most = LONGEST_MESSAGE): string {
  // Cut before as well as after escaping: the text may have a hundred megabytes, and escaping makes it longer.
  return cut(escapeControls(cut(text, most)), most);
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const mark = ` ... (${text.length} characters in all) ... `;
  const end = Math.min(KEPT_END, most >> 2);
  return text.slice(0, most - end - mark.length) + mark + text.slice(text.length - end);
}

/** A terminal obeys control characters, so a text from a file must not contain any. */
function escapeControls(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A name out of a file, in quotation marks and cut to 80 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text);
}

/** A name out of a file without quotation marks, cut to 80 characters. */
export const printable = (text: string): string => quote(text).slice(1, -1);

/** A value out of parseJson, for a message. */
export function quoteValue(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
}

/**
 * Parses JSON whose depth is bounded, so that no later walk through it can exhaust the stack.
 * @param fail throws with what the text is, such as "no JSON: ..."
 */
export function parseJson(text: string, fail: (problem: string, cause?: unknown) => never): unknown {
  if (jsonDepth(text) > DEEPEST_JSON) fail(`JSON with more than ${DEEPEST_JSON} objects and lists in one another`);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    return fail(`no JSON: ${bounded((cause as Error).message, 200)}`, cause);
  }
}

/** The most brackets that are open at once; of text that is no JSON, some number. */
function jsonDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/gs)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth);
    else if (token === ']' || token === '}') depth--;
  }
  return deepest;
}

/** Whether a value out of JSON is an object, and neither null nor a list. */
export const isJsonObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A whole number of at least 0 in decimal digits, as metadata hold them; undefined for any other text. */
export function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^(0|[1-9]\d{0,15})$/.test(text) && Number.isSafeInteger(Number(text))
    ? Number(text)
    : undefined;
}
