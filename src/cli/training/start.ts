/** The files that a training starts from: weights, a teacher, its knowledge. */
import type { BackboneName } from '../../nn/backbones/index.ts';
import type { ModelFile } from '../../models/model-file.ts';
import { parseKnowledge, type Knowledge } from '../../training/knowledge-file.ts';
import { classifierOf } from '../../training/knowledge.ts';
import type { StartingWeights } from '../../training/weights.ts';
import {
  optionsOfWeights,
  readGivenFile,
  readWeightsFile,
  requireBackbone,
  requireWidth,
} from '../files/model-file.ts';
import { optionName } from '../options/option.ts';
import { TRAIN_OPTIONS, type TrainValues } from '../options/training.ts';

/**
 * The teacher of its own that was given; a resumed run with an online teacher needs that of its starting weights again.
 */
export async function readTeacher(
  {
    teacher,
    teacherMode,
    weights,
    width,
    weightsPrefix,
    input,
  }: Pick<TrainValues, 'teacher' | 'teacherMode' | 'weights' | 'width' | 'weightsPrefix' | 'input'>,
  resumed = false,
): Promise<{ readonly file: ModelFile; readonly name: string } | undefined> {
  const name = teacher ?? (resumed && teacherMode === 'online' ? weights : undefined);
  if (name === undefined) return undefined;
  const { file } = await readWeightsFile(name, teacher === undefined ? '--weights' : '--teacher', {
    weightsPrefix,
    input,
  });
  if (teacher !== undefined) requireWidth(file, name, width, '--teacher');
  return { file: asTeacher(file), name };
}

/** Weights as a teacher's: a retrieval network's as the classifier that it is. */
export const asTeacher = (file: ModelFile): ModelFile =>
  file.state.has('fc.weight') ? file : { ...file, state: classifierOf(file.state) };

/** The starting weights that were given, if any were. */
export async function readStart(given: Readonly<Record<string, unknown>>): Promise<StartingWeights | undefined> {
  return given.weights === undefined ? undefined : readWeightsFile(given.weights as string, '--weights', given);
}

/**
 * What starting weights say of the network that they are for, as options that a flag overrules; the backbone and its
 * width cannot be overruled.
 */
export function optionsFromWeights(
  { file }: StartingWeights,
  { weights, backbone, width }: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (backbone !== undefined) requireBackbone(file, weights as string, backbone as BackboneName);
  if (width !== undefined) requireWidth(file, weights as string, width as number);
  return checkedOptions(optionsOfWeights(file, weights as string), weights as string);
}

/** The table that --knowledge names. */
export async function readKnowledge(file: string): Promise<Knowledge> {
  return parseKnowledge(await readGivenFile(file, '--knowledge'), file);
}

/** The options with what the knowledge's file says of its reading, unless another one was requested. */
export function withKnowledgeSettings<
  Values extends Pick<TrainValues, 'teacherMean' | 'teacherTemperature' | 'teacherPhotos'>,
>(options: Values, knowledge: Knowledge | undefined, given: Readonly<Record<string, unknown>>): Values {
  if (knowledge === undefined) return options;
  const { reading, photosPerClass } = knowledge.origin;
  const read = { teacherMean: reading.mean, teacherTemperature: reading.temperature, teacherPhotos: photosPerClass };
  return { ...options, ...Object.fromEntries(Object.entries(read).filter(([key]) => given[key] === undefined)) };
}

/** Options out of a file, which may say anything. @throws OptionError that names the file and the option */
function checkedOptions(said: Readonly<Record<string, unknown>>, file: string): Record<string, unknown> {
  const known = Object.entries(said).filter(([key, value]) => value !== undefined && key in TRAIN_OPTIONS);
  return Object.fromEntries(
    known.map(([key, value]) => [
      key,
      TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS].check(value, `${file}, ${optionName(key)}`),
    ]),
  );
}
