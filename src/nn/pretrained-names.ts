/** Where the tensors of a backbone are in a file of others: under which prefix, and by whose names. */
import type { FileTensor } from '../formats/tensor-file.ts';
import { quote } from '../formats/untrusted.ts';
import type { TensorNaming } from './backbones/backbone.ts';
import { BACKBONE_NAMES } from './backbones/index.ts';

/** Says what is wrong and never returns. */
export type Fail = (problem: string) => never;

/** Shapes of tensors by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** Longer names are none of a network's, and are not looked into. */
const LONGEST_NAME = 512;

/** The prefix under which most of a backbone's names are, and their naming. */
export function findBackbone(
  tensors: ReadonlyMap<string, FileTensor>,
  names: readonly string[],
  {
    title,
    namings,
    shapes,
  }: { readonly title: string; readonly namings: readonly TensorNaming[]; readonly shapes: Shapes },
  { prefix: wanted, backbone }: { readonly prefix?: string; readonly backbone?: string },
  fail: Fail,
): { readonly prefix: string; readonly naming: TensorNaming } {
  const known = new Map(
    namings.flatMap((naming) => [...shapes].map(([name, shape]) => [naming.inFile(name), { naming, shape }] as const)),
  );
  const found = new Map<
    string,
    { readonly prefix: string; readonly naming: TensorNaming; count: number; fitting: number }
  >();
  // A number is a short name, which others have as well (`classifier.1.bias`); there the shape tells.
  const fits = (name: string, expected: readonly number[]): boolean => {
    const shape = tensors.get(name)?.shape ?? [];
    return shape.length === expected.length && Number.isInteger((4 * shape[0]) / expected[0]);
  };
  for (const name of names) {
    if (name.length > LONGEST_NAME) continue;
    for (let dot = -1; ;) {
      const prefix = name.slice(0, dot + 1);
      const { naming, shape } = known.get(name.slice(dot + 1)) ?? {};
      if (naming !== undefined && shape !== undefined && (wanted === undefined || prefix === wanted)) {
        const key = `${naming.title} ${prefix}`;
        const entry = found.get(key) ?? { prefix, naming, count: 0, fitting: 0 };
        found.set(key, entry);
        entry.count++;
        entry.fitting += Number(fits(name, shape));
      }
      dot = name.indexOf('.', dot + 1);
      if (dot < 0) break;
    }
  }
  const [best, ...others] = [...found.values()].sort((a, b) => b.fitting - a.fitting || b.count - a.count);
  if (best === undefined) {
    const some = names.slice(0, 4).map(quote).join(', ');
    return fail(
      `it holds nothing of ${backbone === undefined ? `a known backbone (${BACKBONE_NAMES.join(', ')})` : `a ${title}`}${wanted === undefined ? '' : ` under the prefix "${wanted}"`}: its tensors are ${some}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`,
    );
  }
  // A block within the backbone has some of its names too, and a second network most of them.
  const rivals = others.filter(({ fitting, count }) =>
    best.fitting > 0 ? 2 * fitting > best.fitting : 2 * count > best.count,
  );
  if (rivals.length > 0)
    fail(
      `it holds several networks; say which by its prefix (--weights-prefix): ${[best, ...rivals].map(({ prefix }) => JSON.stringify(prefix)).join(', ')}`,
    );
  return best;
}

/** The name of the layer whose weight and bias classify, under the backbone's prefix or beside the backbone. */
export function findClassifier(
  tensors: ReadonlyMap<string, FileTensor>,
  prefix: string,
  names: readonly string[],
): string | undefined {
  const beside = prefix.slice(0, prefix.lastIndexOf('.', prefix.length - 2) + 1);
  return [prefix, beside]
    .flatMap((start) => names.map((name) => start + name))
    .find(
      (name) =>
        tensors.get(`${name}.weight`)?.shape.length === 2 &&
        tensors.get(`${name}.weight`)?.shape[0] !== 0 &&
        tensors.has(`${name}.bias`),
    );
}
