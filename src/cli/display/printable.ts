/**
 * C0, DEL and C1, among them the escape that begins a terminal's commands; line and paragraph separators; marks that
 * turn the direction of writing round.
 */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * A text as one line that does nothing to a terminal but show itself: names of files, classes and tensors may hold
 * anything. What cannot be shown is written as in JSON.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** The same for a text of several lines, such as an error's message. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
