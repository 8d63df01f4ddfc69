/** What the teacher contributes to a training: a table of knowledge, prepared once, or its network in every step. */
import { canonicalJson } from '../formats/canonical-json.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import { Classifier } from '../nn/retrieval-network.ts';
import type { StateTensor } from '../nn/state.ts';
import { CheckpointError, type Json } from '../models/model-file.ts';
import { distill, teacherClassesOf, teacherNetwork } from './distillation.ts';
import { KnowledgeError, knowledgeOf } from './knowledge-file.ts';
import type { KnowledgeReading } from './knowledge.ts';
import { EMBEDDING_BATCH } from '../models/image-rows.ts';
import { loadState } from '../models/retrieval-model.ts';
import type { TeacherSignal } from './teacher-targets.ts';
import type { TrainRetrievalOptions } from './run-options.ts';

/** Name of the teacher's knowledge among a checkpoint's tables. */
export const KNOWLEDGE = 'knowledge';

/** The teacher's signal, and what a checkpoint says of it. */
export interface PreparedSignal {
  /** The table of a class-oriented teacher, which checkpoints hold. */
  readonly knowledge: StateTensor | undefined;
  readonly signal: TeacherSignal | undefined;
  readonly teacherClasses: number;
  /** Checksum of the teacher's weights; null without a teacher, or where it is not known. */
  readonly teacher: string | null;
}

/** @throws CheckpointError where a model's table of knowledge is none of these classes */
export function requireKnowledge(
  { shape, values }: StateTensor,
  classes: number,
  teacherClasses: number,
  name: string,
): void {
  if (shape.length === 2 && shape[0] === classes && shape[1] === teacherClasses && values.every(Number.isFinite))
    return;
  throw new CheckpointError(
    `${name}: its table of knowledge is [${shape.join(', ')}], where finite values [${classes}, ${teacherClasses}] are needed; start anew from its weights (--weights) with knowledge of its own (--knowledge)`,
  );
}

export const signalOf = (knowledge: StateTensor | undefined): TeacherSignal | undefined =>
  knowledge && { kind: 'class-oriented', knowledge: knowledge.values };

/** Knowledge from its file, from a teacher that is asked now, or from a model that was trained with it. */
export async function classOrientedSignal(
  { device, selector, dataset, training, start, teacher, knowledge: given, onProgress }: TrainRetrievalOptions,
  sameClasses: boolean,
): Promise<PreparedSignal> {
  const {
    seed,
    imageSize,
    pixels,
    network,
    losses,
    teacher: { reading, photosPerClass },
  } = training;
  const prepared = (knowledge: StateTensor, checksum: string | null): PreparedSignal => ({
    knowledge,
    signal: signalOf(knowledge),
    teacherClasses: knowledge.shape[1],
    teacher: checksum,
  });
  const startTeaches = start?.file.state.has('fc.weight') === true ? start : undefined;
  if (losses.preservation > 0 && given !== undefined) {
    const { origin } = given.file;
    if (canonicalJson(origin.reading) !== canonicalJson(reading)) {
      throw new KnowledgeError(
        `${given.name} was distilled as ${describeReading(origin.reading)}, and the training asks for ${describeReading(reading)}; distil it so, or train with what it holds`,
      );
    }
    return prepared(
      knowledgeOf(dataset.seenClasses, given.file, given.name, (teacher ?? startTeaches)?.file.checksum),
      origin.teacher,
    );
  }
  const asked = teacher ?? startTeaches;
  if (losses.preservation > 0 && asked !== undefined) {
    const settings = { reading, photosPerClass, seed, imageSize, pixels, batchSize: EMBEDDING_BATCH };
    const { table } = await distill({
      device,
      selector,
      dataset,
      teacher: asked,
      network: teacherNetwork(network, asked),
      settings,
      onProgress: (done, total) => onProgress?.('teacher', done, total),
    });
    return prepared(table, asked.file.checksum);
  }
  const kept = losses.preservation > 0 && sameClasses ? start?.file.tables.get(KNOWLEDGE) : undefined;
  if (kept !== undefined)
    requireKnowledge(kept, dataset.seenClasses.length, kept.shape[1], start?.name ?? 'the starting model');
  return kept === undefined
    ? { knowledge: undefined, signal: undefined, teacherClasses: 0, teacher: null }
    : prepared(kept, null);
}

export async function onlineSignal(options: TrainRetrievalOptions, storage: DeviceStorage): Promise<PreparedSignal> {
  const signal = await onlineTeacher(options, storage);
  const { file } = teacherOf(options);
  return {
    knowledge: undefined,
    signal,
    teacherClasses: teacherClassesOf(file, 'the teacher'),
    teacher: file.checksum,
  };
}

/** The teacher on the device, for its part in every step. @param checksum that it must have */
export async function onlineTeacher(
  options: TrainRetrievalOptions,
  storage: DeviceStorage,
  checksum?: Json,
): Promise<TeacherSignal> {
  const {
    training: {
      network: settings,
      teacher: { reading },
    },
  } = options;
  const { file, name } = teacherOf(options);
  if (checksum !== undefined && checksum !== file.checksum) {
    throw new KnowledgeError(
      `${name} has the checksum ${file.checksum.slice(0, 16)}, and the run was begun with the teacher ${String(checksum).slice(0, 16)}; give those weights (--teacher)`,
    );
  }
  const network = new Classifier({
    ...teacherNetwork(settings, { file, name }),
    classes: teacherClassesOf(file, name),
  });
  loadState(network, storage, file.state, name);
  return { kind: 'online', network, temperature: reading.temperature };
}

/** @throws KnowledgeError where there is no teacher */
function teacherOf({ teacher, start }: TrainRetrievalOptions): NonNullable<TrainRetrievalOptions['teacher']> {
  const found = teacher ?? (start?.file.state.has('fc.weight') === true ? start : undefined);
  if (found === undefined)
    throw new KnowledgeError(
      "an online teacher is requested, and there is none: give a classifier's weights (--teacher), or leave the preservation loss out (--loss-preservation 0)",
    );
  return found;
}

const describeReading = ({ mean, temperature }: KnowledgeReading): string =>
  `the mean of ${mean === 'softmax' ? 'softmax outputs' : 'logits'} at temperature ${temperature}`;
