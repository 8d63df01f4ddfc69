import type { LogEntry } from '../../training/log.ts';

/** What became of a file of weights: which tensors were loaded, which drawn and how, which have no place. */
export function describeWeights({
  file,
  loaded,
  initialised,
  unused,
}: Extract<LogEntry, { event: 'weights' }>): string {
  const drawn = Object.entries(initialised);
  const lines = [
    `weights: ${loaded.length} tensors from ${file}, ${drawn.length} new, ${unused.length} of the file not used`,
  ];
  if (drawn.length > 0) lines.push('  new:', ...drawn.map(([name, how]) => `    ${name}, ${how}`));
  if (unused.length > 0) lines.push('  not used:', ...groupNames(unused).map((name) => `    ${name}`));
  return lines.join('\n');
}

/** Many names of one beginning become one line. */
export function groupNames(names: readonly string[], most = 12): string[] {
  if (names.length <= most) return [...names];
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const start = name.split('.', 1)[0];
    groups.set(start, [...(groups.get(start) ?? []), name]);
  }
  return [...groups].flatMap(([start, group]) => (group.length <= 2 ? group : [`${start}.*, ${group.length} tensors`]));
}
