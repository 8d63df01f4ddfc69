/**
 * What a training changed: sketches that it did not see search the pictures that it saw, by the model before and after.
 */
import type { Remote } from 'comlink';
import { small, type Trainable } from './class-cards.ts';
import type { Engine } from './engine.ts';
import type { TrainingOutcome } from './training-session.ts';
import type { UnreadablePicture } from './own-training.ts';
import { element, nameElement } from './page.ts';

/** Pictures that are shown for a sketch. */
const NEAREST = 5;
/** One in so many sketches of a class is kept out of the training, and one at least where there are two. */
const KEPT_OUT_OF = 5;

/** Classes that are trained on, and the sketches of them that are kept out, by class. */
export interface SplitClasses {
  readonly training: readonly Trainable[];
  readonly keptOut: readonly (readonly Blob[])[];
}

/** The last sketches of each class are kept out, so that the same ones are when the training is repeated. */
export function keepOut(classes: readonly Trainable[]): SplitClasses {
  const count = ({ sketches: { length } }: Trainable): number =>
    length < 2 ? 0 : Math.max(1, Math.floor(length / KEPT_OUT_OF));
  return {
    training: classes.map((each) => ({
      name: each.name,
      sketches: each.sketches.slice(0, each.sketches.length - count(each)),
      photos: [...each.photos],
    })),
    keptOut: classes.map((each) => each.sketches.slice(each.sketches.length - count(each))),
  };
}

interface Query {
  readonly name: string;
  readonly picture: Blob;
  readonly keptOut: boolean;
  /** Places of the nearest pictures, before and after. */
  readonly nearest: readonly (readonly number[])[];
}

/**
 * Shows a row for each class, and how often the nearest picture was right.
 * @param before checksum of the model that the training began with
 * @returns names of sketches that were kept out and cannot be decoded
 */
export async function showComparison(
  engine: Remote<Engine>,
  before: string,
  { training, keptOut }: SplitClasses,
  { checksum, unreadable }: TrainingOutcome,
): Promise<string[]> {
  const readable = (className: string, domain: UnreadablePicture['domain'], pictures: readonly Blob[]): Blob[] =>
    pictures.filter(
      (_, index) =>
        !unreadable.some((each) => each.className === className && each.domain === domain && each.index === index),
    );
  const photos = training.flatMap(({ name, photos: pictures }) =>
    readable(name, 'photo', pictures).map((picture) => ({ name, picture })),
  );
  const models = [before, checksum];
  const embedded: Float32Array[] = [];
  for (const model of models) embedded.push((await engine.embed(model, photos)).embeddings);
  const nearestOf = async (picture: Blob): Promise<number[][]> => {
    const nearest: number[][] = [];
    for (const [place, model] of models.entries())
      nearest.push((await engine.search(model, picture, embedded[place], NEAREST)).results.map(({ index }) => index));
    return nearest;
  };

  const rows: Query[] = [];
  const scored: Query[] = [];
  const broken: string[] = [];
  for (const [label, { name, sketches }] of training.entries()) {
    const trained = readable(name, 'sketch', sketches);
    // A class without a readable sketch and picture was passed over.
    if (trained.length === 0 || !photos.some((photo) => photo.name === name)) continue;
    const own: Query[] = [];
    for (const picture of keptOut[label]) {
      const nearest = await nearestOf(picture).catch(() => undefined);
      if (nearest === undefined) broken.push(`${name}/${picture instanceof File ? picture.name : 'a sketch'}`);
      else own.push({ name, picture, keptOut: true, nearest });
    }
    scored.push(...own);
    // A class with one sketch alone is shown by that.
    const [last] = trained.slice(-1);
    rows.push(own.at(-1) ?? { name, picture: last, keptOut: false, nearest: await nearestOf(last) });
  }

  const right = (place: number): number =>
    scored.filter(({ name, nearest }) => photos[nearest[place][0]].name === name).length;
  element('comparison-score').textContent =
    scored.length === 0
      ? 'No class has two sketches, so none was kept out of the training, and there is no score. Add a second sketch to the classes.'
      : `Of ${scored.length} ${scored.length === 1 ? 'sketch' : 'sketches'} that the training did not see, the nearest picture is of the right class for ${right(0)} before and for ${right(1)} after.`;
  element('comparison-rows').replaceChildren(...rows.map((query) => rowOf(query, photos)));
  element('comparison').hidden = false;
  return broken;
}

function rowOf(
  { name, picture, keptOut, nearest }: Query,
  photos: readonly { readonly name: string; readonly picture: Blob }[],
): HTMLTableRowElement {
  const row = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.append(small(picture), nameElement(name), keptOut ? '' : ' (trained on)');
  row.append(head);
  for (const places of nearest) {
    const cell = document.createElement('td');
    for (const place of places) {
      const image = small(photos[place].picture, photos[place].name);
      image.classList.toggle('hit', photos[place].name === name);
      cell.append(image);
    }
    row.append(cell);
  }
  return row;
}
