import { MOST_SELECTED, topK as kernel } from '../../../kernels/retrieval/top-k.ts';
import { checkInteger } from '../attributes.ts';
import { apply, use, type Op } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

const op: Op<{ readonly k: number }> = {
  name: 'topK',
  infer([queries, gallery], { k }) {
    if (
      queries.shape.length !== 2 ||
      gallery.shape.length !== 2 ||
      queries.shape[1] !== gallery.shape[1] ||
      queries.type !== 'f32' ||
      gallery.type !== 'f32'
    )
      throw new ShapeError(
        `topK: ${describe(queries)} by ${describe(gallery)}; f32 [queries, dimension] and [items, dimension] were expected`,
      );
    checkInteger('topK', 'k', k, 1);
    if (k > MOST_SELECTED) throw new ShapeError(`topK: k is ${k}; at most ${MOST_SELECTED} can be selected`);
    const shape = [queries.shape[0], k];
    return [
      { shape, name: 'scores' },
      { shape, type: 'u32', name: 'indices' },
    ];
  },
  lower: ({ attributes: { k }, inputs: [queries, gallery], outputs: [scores, indices] }) => [
    use(
      kernel,
      { queries: queries.shape[0], items: gallery.shape[0], dimension: gallery.shape[1], k },
      { queries, gallery, scores, indices },
    ),
  ],
};

/**
 * The k rows of a gallery that have the largest scalar products with each query, without a matrix of all products.
 * Equal products are in the order of their rows; a product that is NaN is never selected. It has no gradient.
 * @param queries [queries, dimension]
 * @param gallery [items, dimension]
 * @param k up to 256
 * @returns scores [queries, k], best first, and indices u32 [queries, k]; -Infinity and 0xffffffff where fewer than k
 * rows have a product
 */
export function topK(
  queries: Tensor,
  gallery: Tensor,
  k: number,
): { readonly scores: Tensor; readonly indices: Tensor } {
  const [scores, indices] = apply(op, [queries, gallery], { k });
  return { scores, indices };
}
