import type { DeviceStorage } from '../autodiff/device-storage.ts';
import { classKey } from '../data/class-names.ts';
import { RetrievalNetwork, withStatisticsFor } from '../nn/retrieval-network.ts';
import { describeInitial, initializeNetwork, readState, type LoadReport, type State } from '../nn/state.ts';
import { knownRows } from './class-rows.ts';
import { retrievalStateFrom, teacherRows } from './knowledge.ts';
import type { LogEntry } from './log.ts';
import { loadState } from '../models/retrieval-model.ts';
import type { TrainRetrievalOptions } from './run-options.ts';
import {
  classOrientedSignal,
  KNOWLEDGE,
  onlineSignal,
  onlineTeacher,
  requireKnowledge,
  signalOf,
  type PreparedSignal,
} from './teacher-signal.ts';
import { PRETRAINED } from './weights.ts';

/** Parameters that a state of ours may lack. */
const HEADS = /^(embedding|classifier|teacher)\./;

/** The network on the device, and its teacher. */
export interface PreparedNetwork extends Omit<PreparedSignal, 'teacherClasses'> {
  readonly network: RetrievalNetwork;
  /** Digest of the starting weights. */
  readonly report?: Omit<Extract<LogEntry, { event: 'weights' }>, 'event'>;
}

/** The network with its starting weights, and the teacher's signal where there is a teacher. */
export async function prepareNetwork(options: TrainRetrievalOptions, storage: DeviceStorage): Promise<PreparedNetwork> {
  const { dataset, training, start, resume } = options;
  const classes = dataset.seenClasses.length;
  const build = (teacherClasses: number): RetrievalNetwork =>
    new RetrievalNetwork({ ...training.network, classes, teacherClasses });
  const online = training.teacher.kind === 'online' && training.losses.preservation > 0;
  // A resumed run takes all weights from its checkpoint, the teacher's knowledge included; an online teacher is not in
  // it.
  if (resume !== undefined) {
    const { state, tables, about } = resume.file;
    const knowledge = tables.get(KNOWLEDGE);
    const network = build(state.get('teacher.bias')?.shape[0] ?? 0);
    if (knowledge !== undefined) requireKnowledge(knowledge, classes, network.retrieval.teacherClasses, resume.name);
    loadState(network, storage, state, resume.name);
    const signal = online ? await onlineTeacher(options, storage, about.teacher) : signalOf(knowledge);
    return { network, knowledge, signal, teacher: typeof about.teacher === 'string' ? about.teacher : null };
  }
  const fromClassifier = start?.file.state.has('fc.weight') === true;
  const sameClasses = start !== undefined && sameClassOrder(start.file.about.classes, dataset.seenClasses);
  const { knowledge, signal, teacherClasses, teacher } = online
    ? await onlineSignal(options, storage)
    : await classOrientedSignal(options, sameClasses);

  const network = build(teacherClasses);
  await initializeNetwork(network, storage, training.seed);
  if (start === undefined) return { network, knowledge, signal, teacher };
  let { state } = start.file;
  if (fromClassifier) {
    const known = start.file.about.classes;
    const rows = Array.isArray(known) ? teacherRows(dataset.seenClasses, known as readonly string[]) : undefined;
    state =
      training.embeddingStart === 'svd' ? retrievalStateFrom(state, training.network.embedding, rows) : trunkOf(state);
  }
  const known = start.file.about.classes;
  const rows =
    !sameClasses && !fromClassifier && Array.isArray(known)
      ? knownRows(await readState(network, storage), dataset.seenClasses, state, known as readonly string[])
      : undefined;
  const starting = withStatisticsFor(
    network.retrieval,
    new Map([...withoutOldHeads(network, state, sameClasses || fromClassifier), ...(rows?.state ?? [])]),
  );
  // Others' files may lack anything, which then is as it was drawn; ours are whole, but for heads.
  const partial = start.file.about.kind === PRETRAINED || ((name: string) => HEADS.test(name));
  return {
    network,
    knowledge,
    signal,
    teacher,
    report: {
      file: start.name,
      ...describeLoad(network, loadState(network, storage, starting, start.name, { partial })),
      unused: start.unused ?? [],
    },
  };
}

/** Whether a file's classes are those of the data, in one order. */
function sameClassOrder(said: unknown, classes: readonly string[]): boolean {
  return (
    Array.isArray(said) &&
    said.length === classes.length &&
    said.every((name, label) => typeof name === 'string' && classKey(name) === classKey(classes[label]))
  );
}

function describeLoad(
  network: RetrievalNetwork,
  { loaded, missing }: LoadReport,
): { readonly loaded: readonly string[]; readonly initialised: Readonly<Record<string, string>> } {
  return { loaded, initialised: Object.fromEntries(missing.map((name) => [name, describeInitial(network, name)])) };
}

const trunkOf = (state: State): State => new Map([...state].filter(([name]) => !name.startsWith('fc.')));

/**
 * A starting state made to fit: the head of the trained classes is new unless the state has one for these very classes
 * (a retrieval model of the same classes, or a teacher that knows them all), and the teacher's head goes where there is
 * no knowledge to preserve, or that of another teacher. All else must fit as it is.
 */
function withoutOldHeads(network: RetrievalNetwork, state: State, keepClassifier: boolean): State {
  const dropped = [
    ...(keepClassifier ? [] : ['classifier.']),
    ...(network.retrieval.teacherClasses === (state.get('teacher.bias')?.shape[0] ?? 0) ? [] : ['teacher.']),
  ];
  // A cosine classifier has no bias.
  const fits = (name: string): boolean => !name.startsWith('classifier.') || network.layouts.has(name);
  return new Map([...state].filter(([name]) => fits(name) && !dropped.some((start) => name.startsWith(start))));
}
