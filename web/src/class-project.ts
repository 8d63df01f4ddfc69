/**
 * The user's classes as a file, to continue with them later or on another device: JSON, with each picture as a
 * data URL.
 */
import type { Trainable } from './class-cards.ts';

const FORMAT = 'sketchgrad classes 1';
/** A picture in a file: its type, and its bytes in base64. */
const PICTURE = /^data:(image\/[a-z0-9.+-]+);base64,([A-Za-z0-9+/]*={0,2})$/;

/** A file that holds no classes. The message says what is wrong with it. */
export class ProjectError extends Error {
  override readonly name = 'ProjectError';
}

/** The classes as a file's bytes. */
export async function saveProject(classes: readonly Trainable[]): Promise<Uint8Array> {
  const encoded = (pictures: readonly Blob[]): Promise<string[]> => Promise.all(pictures.map(dataUrl));
  const project = {
    format: FORMAT,
    classes: await Promise.all(
      classes.map(async ({ name, sketches, photos }) => ({
        name,
        sketches: await encoded(sketches),
        photos: await encoded(photos),
      })),
    ),
  };
  return new TextEncoder().encode(JSON.stringify(project));
}

/** @throws ProjectError where it is no such file; nothing of it is taken then */
export function readProject(text: string): Trainable[] {
  const fail = (problem: string): never => {
    throw new ProjectError(`This is no file of classes that was saved here: ${problem}.`);
  };
  let project: unknown;
  try {
    project = JSON.parse(text);
  } catch {
    return fail('it is not JSON');
  }
  if (!isObject(project) || project.format !== FORMAT || !Array.isArray(project.classes))
    return fail(`it does not say "format": "${FORMAT}" and give a list of classes`);
  return project.classes.map((each: unknown, index): Trainable => {
    if (!isObject(each) || typeof each.name !== 'string' || each.name.trim() === '')
      return fail(`class ${index + 1} has no name`);
    const { name } = each;
    const pictures = (key: 'sketches' | 'photos'): Blob[] => {
      const list = each[key];
      if (!Array.isArray(list)) return fail(`class ${index + 1} has no list of ${key}`);
      return list.map(
        (url: unknown, place) =>
          pictureIn(url) ?? fail(`number ${place + 1} of the ${key} of class ${index + 1} is no picture`),
      );
    };
    return { name, sketches: pictures('sketches'), photos: pictures('photos') };
  });
}

function pictureIn(url: unknown): Blob | undefined {
  const [, type, code] = (typeof url === 'string' ? PICTURE.exec(url) : undefined) ?? [];
  if (type === undefined || code.length % 4 !== 0) return undefined;
  return new Blob([Uint8Array.from(atob(code), (character) => character.charCodeAt(0))], { type });
}

async function dataUrl(picture: Blob): Promise<string> {
  const bytes = new Uint8Array(await picture.arrayBuffer());
  let characters = '';
  // A call takes so many arguments at most.
  for (let at = 0; at < bytes.length; at += 8192) characters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return `data:${picture.type};base64,${btoa(characters)}`;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
