import { RecordedSelection, type VariantSelector } from '../autodiff/variant-selector.ts';
import { DeviceStorage } from '../autodiff/device-storage.ts';
import { DatasetError, type Dataset, type Sample } from '../data/dataset.ts';
import type { Device } from '../gpu/device.ts';
import { Classifier } from '../nn/retrieval-network.ts';
import { RandomStream, STREAM } from '../random/philox.ts';
import type { ModelFile } from '../models/model-file.ts';
import { contentsFingerprint, fingerprint } from './fingerprint.ts';
import { ClassKnowledge } from './knowledge.ts';
import {
  KnowledgeError,
  sameOrigin,
  type DistillationSettings,
  type Knowledge,
  type KnowledgeOrigin,
  type PartialKnowledge,
  type TeacherNetwork,
} from './knowledge-file.ts';
import { imageRows, type ImageRows } from '../models/image-rows.ts';
import { backboneIn, loadState } from '../models/retrieval-model.ts';

/** What a distillation needs: a device, data, a teacher, and how it is read. */
export interface DistillationOptions {
  readonly device: Device;
  readonly selector?: VariantSelector;
  readonly dataset: Pick<Dataset, 'name' | 'seenClasses' | 'train' | 'images'>;
  /** A classifier's weights; all but its number of classes is in `network`. */
  readonly teacher: { readonly file: ModelFile; readonly name: string };
  readonly network: TeacherNetwork;
  readonly settings: DistillationSettings;
  /**
   * What an earlier process had come to. It is taken up where it is of this very distillation, and otherwise left
   * alone.
   */
  readonly begun?: PartialKnowledge;
  /** Batches from one call of `onPartial` to the next. */
  readonly stateEvery?: number;
  /** Hears of the state; must have stored it when its promise resolves. */
  readonly onPartial?: (partial: PartialKnowledge) => Promise<void>;
  /** Hears how many photos were seen before. */
  readonly onStart?: (photosDone: number) => void;
  /** Receives the number of photos done, and of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Class-oriented distillation (method.md): the teacher sees each photo of the seen classes once, and what it says is
 * averaged by class. Continued from a stored state, it ends with the very bits of one that was not interrupted.
 * @throws StateMismatchError where the weights are not a classifier's of this network
 */
export async function distill({
  device,
  selector,
  dataset,
  teacher: { file, name },
  network,
  settings,
  begun,
  stateEvery = 16,
  onPartial,
  onStart,
  onProgress,
}: DistillationOptions): Promise<Knowledge> {
  const { seenClasses: classes, images } = dataset;
  const { reading, batchSize } = settings;
  const { backbone, width, stride, batchNormEpsilon, batchNormMomentum } = network;
  const photos = distilledPhotos(dataset, settings);
  const origin: KnowledgeOrigin = {
    ...settings,
    network: { ...(backbone && { backbone }), width, stride, batchNormEpsilon, batchNormMomentum },
    teacher: file.checksum,
    photos: [await fingerprint(photos), await contentsFingerprint(photos, images)].filter(Boolean).join(' '),
  };
  const isSame =
    begun !== undefined &&
    sameOrigin(begun.origin, origin) &&
    begun.classes.join('\n') === classes.join('\n') &&
    begun.photosDone <= photos.length;
  const goesOn = isSame ? begun : undefined;

  const choices = new RecordedSelection(selector, new Map(Object.entries(goesOn?.variants ?? {})));
  const storage = new DeviceStorage(device, choices);
  let rows: ImageRows | undefined;
  try {
    const teacherClasses = teacherClassesOf(file, name);
    const teacher = new Classifier({ ...network, classes: teacherClasses });
    loadState(teacher, storage, file.state, name);
    rows = await imageRows(storage, settings, (input) => teacher.apply(input, 'eval').logits, batchSize);
    const labelOf = new Map(classes.map((className, label) => [className, label]));
    if (goesOn !== undefined && goesOn.sums.length !== classes.length * teacherClasses)
      throw new KnowledgeError(
        `the distillation under way is of ${goesOn.sums.length / classes.length} teacher classes, and ${name} knows ${teacherClasses}; delete it and begin anew`,
      );
    const knowledge = new ClassKnowledge(classes.length, teacherClasses, reading, goesOn);
    const begin = goesOn?.photosDone ?? 0;
    onStart?.(begin);
    for (let done = begin; done < photos.length;) {
      const part = photos.slice(done, done + stateEvery * batchSize);
      const logits = await rows.compute(part, images, (count) => onProgress?.(done + count, photos.length));
      knowledge.add(
        logits,
        Uint32Array.from(part, ({ className }) => labelOf.get(className) as number),
      );
      done += part.length;
      if (done < photos.length)
        await onPartial?.({
          classes,
          origin,
          photosDone: done,
          sums: knowledge.sums,
          counts: knowledge.counts,
          variants: Object.fromEntries(choices.record),
        });
    }
    return {
      classes,
      table: { shape: [classes.length, teacherClasses], values: knowledge.table() },
      counts: knowledge.counts,
      origin,
    };
  } finally {
    rows?.destroy();
    storage.destroy();
  }
}

/** A teacher's network: the student's, but with the backbone that the teacher's file names. */
export function teacherNetwork<Settings extends TeacherNetwork>(
  student: Settings,
  { file: { about }, name }: DistillationOptions['teacher'],
): Settings {
  // Weights without a description are those that the training itself starts from.
  return about.network === undefined ? student : { ...student, backbone: backboneIn(about, name) };
}

/** The number of classes that a classifier's weights know. @throws DatasetError where they are no classifier's */
export function teacherClassesOf({ state }: ModelFile, name: string): number {
  const classes = state.get('fc.weight')?.shape[0];
  if (classes === undefined)
    throw new DatasetError(
      `${name} has no fc.weight, so it is no teacher: a classifier's weights are needed, such as torchvision's resnet50`,
    );
  return classes;
}

/** The photos that the teacher sees, in the order of the data. */
export function distilledPhotos(
  { name, seenClasses, train }: DistillationOptions['dataset'],
  { photosPerClass, seed }: Pick<DistillationSettings, 'photosPerClass' | 'seed'>,
): Sample[] {
  const photos = train.filter(({ domain }) => domain === 'photo');
  const without = seenClasses.filter((className) => !photos.some((photo) => photo.className === className));
  if (without.length > 0)
    throw new DatasetError(
      `${name}: no photo of ${without.slice(0, 8).join(', ')}, so a teacher has no knowledge of them`,
    );
  if (photosPerClass === 0) return photos;
  const drawn = new Set<Sample>();
  seenClasses.forEach((className, label) => {
    const ofClass = photos.filter((photo) => photo.className === className);
    for (const photo of new RandomStream(seed, STREAM.distillation, [label, 0])
      .shuffle(ofClass)
      .slice(0, photosPerClass))
      drawn.add(photo);
  });
  return photos.filter((photo) => drawn.has(photo));
}
