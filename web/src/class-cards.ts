import { classKey } from '../../src/data/class-names.ts';
import { takePictures } from './camera.ts';
import { nameElement, PICTURE_TYPES, picturesOf } from './page.ts';

/** A class to train on, as it is collected. */
export interface Trainable {
  readonly name: string;
  readonly sketches: Blob[];
  readonly photos: Blob[];
}

/** Pictures of a class and domain that are shown; of a folder there may be thousands. */
const SHOWN = 12;
const DOMAINS = [
  { key: 'sketches', one: 'sketch', title: 'Sketches' },
  { key: 'photos', one: 'picture', title: 'Pictures' },
] as const;

/** The cards of the classes: what is in each as thumbnails, which a click removes, and the ways to add to it. */
export class ClassCards {
  readonly classes: Trainable[] = [];
  /** A picture is decoded once, however often its card is shown anew. */
  private readonly thumbnails = new WeakMap<Blob, HTMLImageElement>();

  /**
   * @param list holds the cards
   * @param sketch what is on the pad, or undefined
   * @param onChange hears of every change
   * @param tell says something to the visitor
   */
  constructor(
    private readonly list: HTMLElement,
    private readonly sketch: () => Promise<Blob | undefined>,
    private readonly onChange: () => void,
    private readonly tell: (text: string) => void,
  ) {}

  /** Classes with a sketch and a picture at least. */
  get complete(): Trainable[] {
    return this.classes.filter(({ sketches, photos }) => sketches.length > 0 && photos.length > 0);
  }

  /** The class of a name, however it is spelt; a new one where there is none. */
  class(name: string): Trainable {
    let found = this.classes.find((each) => classKey(each.name) === classKey(name));
    if (found === undefined) this.classes.push((found = { name, sketches: [], photos: [] }));
    return found;
  }

  show(): void {
    this.list.replaceChildren(...this.classes.map((each) => this.card(each)));
    this.onChange();
  }

  private card(each: Trainable): HTMLLIElement {
    const entry = document.createElement('li');
    const head = document.createElement('div');
    head.className = 'row spread';
    const title = document.createElement('strong');
    title.append(nameElement(each.name));
    const remove = button('Remove', `Remove ${each.name}`);
    remove.className = 'quiet';
    remove.addEventListener('click', () => {
      this.classes.splice(this.classes.indexOf(each), 1);
      this.show();
    });
    head.append(title, remove);
    entry.append(head, ...DOMAINS.flatMap((domain) => this.part(each, domain)));
    return entry;
  }

  /** The pictures of one domain, and what adds to them. */
  private part(each: Trainable, { key, one, title }: (typeof DOMAINS)[number]): HTMLElement[] {
    const pictures = each[key];
    const heading = document.createElement('p');
    heading.textContent = `${title}: ${pictures.length}${pictures.length > SHOWN ? `, the last ${SHOWN} shown` : ''}`;
    const shown = document.createElement('div');
    shown.className = 'row thumbnails';
    const first = Math.max(0, pictures.length - SHOWN);
    shown.append(
      ...pictures
        .slice(first)
        .map((picture, index) =>
          this.thumbnail(each, key, picture, `Remove ${one} ${first + index + 1} of ${each.name}`),
        ),
    );
    const row = document.createElement('div');
    row.className = 'row';
    if (key === 'sketches') row.append(this.drawnButton(each));
    row.append(this.fileButton(`Add ${title.toLowerCase()}`, `Add ${title.toLowerCase()} to ${each.name}`, pictures));
    if (key === 'photos' && 'mediaDevices' in navigator) row.append(this.cameraButton(each));
    return [heading, shown, row];
  }

  private thumbnail(each: Trainable, key: 'sketches' | 'photos', picture: Blob, label: string): HTMLButtonElement {
    const made = button('', label);
    made.title = label;
    const kept = this.thumbnails.get(picture) ?? small(picture);
    this.thumbnails.set(picture, kept);
    made.append(kept);
    made.addEventListener('click', () => {
      const place = [...this.list.querySelectorAll<HTMLElement>('button, input')].indexOf(made);
      each[key].splice(each[key].indexOf(picture), 1);
      this.show();
      // Where the keyboard was, the next one is.
      [...this.list.querySelectorAll<HTMLElement>('button, input')].at(place)?.focus();
    });
    return made;
  }

  private drawnButton(each: Trainable): HTMLButtonElement {
    const made = button('Add what is drawn', `Add what is drawn to ${each.name}`);
    made.addEventListener('click', () => {
      void this.sketch().then((picture) => {
        if (picture === undefined) this.tell('Draw something first.');
        else each.sketches.push(picture);
        this.show();
      });
    });
    return made;
  }

  private cameraButton(each: Trainable): HTMLButtonElement {
    const made = button('Use the camera', `Use the camera for ${each.name}`);
    made.addEventListener('click', () => {
      void takePictures(each.name, (picture) => {
        each.photos.push(picture);
        this.show();
      }).catch((error: unknown) => this.tell(error instanceof Error ? error.message : String(error)));
    });
    return made;
  }

  private fileButton(text: string, label: string, target: Blob[]): HTMLLabelElement {
    const holder = document.createElement('label');
    holder.className = 'button';
    holder.textContent = text;
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', accept: PICTURE_TYPES, multiple: true, className: 'file', ariaLabel: label });
    input.addEventListener('change', () => {
      target.push(...picturesOf(input.files ?? []));
      this.show();
    });
    holder.append(input);
    return holder;
  }
}

function button(text: string, label: string): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  made.setAttribute('aria-label', label);
  return made;
}

/** A small picture whose name is beside it, or `alt`. */
export function small(picture: Blob, alt = ''): HTMLImageElement {
  const image = document.createElement('img');
  image.alt = alt;
  image.src = URL.createObjectURL(picture);
  image.addEventListener('load', () => URL.revokeObjectURL(image.src));
  return image;
}
