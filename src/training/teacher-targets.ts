/** What a teacher says of the images of a batch, as targets of the knowledge preservation loss. */
import { mean } from '../autodiff/ops/reduce.ts';
import { selectRows } from '../autodiff/ops/rows.ts';
import { softmax } from '../autodiff/ops/softmax.ts';
import { constant, type Tensor } from '../autodiff/tensor.ts';
import type { Classifier, RetrievalNetwork } from '../nn/retrieval-network.ts';

/** Where the knowledge that is to be preserved comes from (method.md, Semantic knowledge preservation). */
export type TeacherSignal =
  /** Prepared once, by class: [classes, teacher classes], each row a distribution. */
  | { readonly kind: 'class-oriented'; readonly knowledge: Float32Array }
  /** The teacher itself, frozen, which sees each image of each step: the baseline of SAKE (Liu et al., ICCV 2019). */
  | { readonly kind: 'online'; readonly network: Classifier; readonly temperature: number };

/** What the teacher says of images, [rows, teacher classes], and the mean entropy of it, [1]. */
export interface TeacherTargets {
  readonly probabilities: Tensor;
  readonly entropy: Tensor;
}

/** Some rows of a tensor that has one for each image of the batch. */
export type OfPreserved = (ofAll: Tensor) => Tensor;

/** The targets of the images whose knowledge is preserved. */
export function targetsOf(
  { retrieval: { classes, teacherClasses } }: RetrievalNetwork,
  teacher: TeacherSignal,
  images: Tensor,
  labels: Tensor,
  ofPreserved: OfPreserved,
): TeacherTargets {
  if (teacher.kind === 'online') {
    const { probabilities, entropy } = softmax(
      teacher.network.apply(ofPreserved(images), 'eval').logits,
      teacher.temperature,
    );
    return { probabilities, entropy: mean(entropy) };
  }
  const { knowledge } = teacher;
  const entropies = Float32Array.from({ length: classes }, (_, row) =>
    knowledge
      .subarray(row * teacherClasses, (row + 1) * teacherClasses)
      .reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0),
  );
  return {
    probabilities: ofPreserved(selectRows(constant('knowledge', [classes, teacherClasses], knowledge), labels)),
    entropy: mean(ofPreserved(selectRows(constant('entropies', [classes, 1], entropies), labels))),
  };
}
