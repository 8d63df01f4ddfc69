// Icon sets in Iconify's format, installed in a folder of a test: plain shapes, outlined and filled.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface WrittenSet {
  readonly icons: Readonly<
    Record<
      string,
      {
        readonly body: string;
        readonly hidden?: boolean;
        readonly width?: number;
        readonly height?: number;
        readonly left?: number;
        readonly top?: number;
      }
    >
  >;
  readonly info?: object;
  readonly others?: object;
}

/** Writes a set as the package @iconify-json/<prefix> in a folder's node_modules. */
export async function installSet(
  folder: string,
  prefix: string,
  { icons, info = {}, others = {} }: WrittenSet,
): Promise<void> {
  const at = path.join(folder, 'node_modules', '@iconify-json', prefix);
  await mkdir(at, { recursive: true });
  await writeFile(path.join(at, 'icons.json'), JSON.stringify({ prefix, icons, width: 24, height: 24, ...others }));
  await writeFile(
    path.join(at, 'info.json'),
    JSON.stringify({
      prefix,
      name: `The set ${prefix}`,
      license: { title: 'MIT', spdx: 'MIT', url: 'https://example.org/mit' },
      palette: false,
      ...info,
    }),
  );
}

export const removeSet = (folder: string, prefix: string): Promise<void> =>
  rm(path.join(folder, 'node_modules', '@iconify-json', prefix), { recursive: true });

const outline = (shape: string): { readonly body: string } => ({
  body: `<g fill="none" stroke="currentColor" stroke-width="1.5">${shape}</g>`,
});
const filled = (shape: string): { readonly body: string } => ({ body: `<g fill="currentColor">${shape}</g>` });

/** A polygon, or a star if `inner` is below 1. */
function polygon(corners: number, inner = 1): string {
  const points = Array.from({ length: 2 * corners }, (_, at) => {
    const radius = at % 2 === 0 ? 10 : 10 * inner * (inner < 1 ? 1 : Math.cos(Math.PI / corners));
    const angle = (Math.PI * at) / corners - Math.PI / 2;
    return `${(12 + radius * Math.cos(angle)).toFixed(2)},${(12 + radius * Math.sin(angle)).toFixed(2)}`;
  });
  return `<polygon points="${points.join(' ')}"/>`;
}

/** 60 shapes; `<shape>` is outlined, `<shape>-filled` is filled. */
export const SHAPES: WrittenSet['icons'] = Object.fromEntries(
  [
    ['moon', '<path d="M14 2a10 10 0 1 0 8 14a8 8 0 0 1-8-14z"/>'] as const,
    ['house', '<path d="M3 11L12 3l9 8v10h-6v-6H9v6H3z"/>'] as const,
    ['arrow', '<path d="M3 10h10V5l8 7l-8 7v-5H3z"/>'] as const,
    ['bolt', '<path d="M13 2L4 14h6l-1 8l9-12h-6z"/>'] as const,
    ...Array.from({ length: 13 }, (_, at) => [`polygon-${at + 3}`, polygon(at + 3)] as const),
    ...Array.from({ length: 13 }, (_, at) => [`star-${at + 3}`, polygon(at + 3, 0.45)] as const),
  ].flatMap(([name, shape]) => [
    [name, outline(shape)],
    [`${name}-filled`, filled(shape)],
  ]),
);
