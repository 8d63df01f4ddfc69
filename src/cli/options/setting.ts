/** Options that are settings of a training's recipe. */
import { PAPER_RECIPE, type RetrievalTraining } from '../../training/recipe.ts';
import type { Option, Options } from './option.ts';

type Recipe = Omit<RetrievalTraining, 'steps'>;

/** The place of a setting in a recipe, such as `losses.margin`. */
type PathIn<Settings> = Settings extends readonly unknown[]
  ? never
  : Settings extends object
    ? string extends keyof Settings
      ? never
      : { [Key in keyof Settings & string]-?: Key | `${Key}.${PathIn<NonNullable<Settings[Key]>>}` }[keyof Settings &
          string]
    : never;

type SettingAt<Settings, Path> = Path extends `${infer Key}.${infer Rest}`
  ? SettingAt<NonNullable<Settings[Key & keyof Settings]>, Rest>
  : Settings[Path & keyof Settings];

/**
 * Declares that an option is a setting of the training. Its default is the paper's recipe, unless the option has one of
 * its own, as it must where the recipe leaves the setting out.
 */
export function setting<Path extends PathIn<Recipe>, T extends SettingAt<Recipe, Path> | undefined>(
  path: Path,
  option: Option<T>,
): Option<undefined extends T ? SettingAt<Recipe, Path> : T>;
/**
 * Declares that a setting of the training follows from an option, and is written in another way or depends on other
 * options as well.
 * @param valueOf the setting's value from the option's and, where it needs them, others; undefined leaves it out
 */
export function setting<Path extends PathIn<Recipe>, T, Others = unknown>(
  path: Path,
  option: Option<T>,
  valueOf: (value: T, others: Others) => SettingAt<Recipe, Path> | undefined,
): Option<T>;
export function setting(
  path: string,
  option: Option<unknown>,
  valueOf?: (value: unknown, others: never) => unknown,
): Option<unknown> {
  if (valueOf !== undefined)
    return { ...option, setting: { path, valueOf: (value, values) => valueOf(value, values as never) } };
  const inRecipe = path.split('.').reduce<unknown>((settings, key) => (settings as Settings)?.[key], PAPER_RECIPE);
  return { ...option, default: option.default ?? inRecipe, setting: { path, valueOf: (value) => value } };
}

type Settings = Record<string, unknown>;

/**
 * The paper's recipe with the settings that options give. A setting that the recipe does not have is left out where its
 * option has the default value: checkpoints that were written before there was such an option do not have it either, and
 * can be resumed.
 */
export function recipeOf(options: Options, values: Readonly<Record<string, unknown>>): Recipe {
  const recipe = structuredClone(PAPER_RECIPE);
  for (const [key, { setting, default: usual }] of Object.entries(options)) {
    if (setting === undefined) continue;
    const path = setting.path.split('.');
    const name = path.pop() as string;
    const settings = path.reduce((outer, inner) => outer[inner] as Settings, recipe as unknown as Settings);
    const value = setting.valueOf(values[key], values);
    if (name in settings || (value !== undefined && value !== usual)) settings[name] = value;
  }
  return recipe;
}
