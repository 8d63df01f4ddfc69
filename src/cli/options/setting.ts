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
): Option<undefined extends T ? SettingAt<Recipe, Path> : T> {
  const inRecipe = path.split('.').reduce<unknown>((settings, key) => (settings as Settings)?.[key], PAPER_RECIPE);
  type Value = undefined extends T ? SettingAt<Recipe, Path> : T;
  return { ...(option as Option<Value>), setting: path, default: (option.default ?? inRecipe) as Value };
}

type Settings = Record<string, unknown>;

/**
 * The paper's recipe with the settings that options give. A setting that the recipe does not have is left out where its
 * option has the default value: checkpoints that were written before there was such an option do not have it either, and
 * can be resumed.
 */
export function recipeOf(options: Options, values: Readonly<Record<string, unknown>>): Recipe {
  const recipe = structuredClone(PAPER_RECIPE);
  for (const [key, option] of Object.entries(options)) {
    if (option.setting === undefined) continue;
    const path = option.setting.split('.');
    const name = path.pop() as string;
    const settings = path.reduce((outer, inner) => (outer[inner] ??= {}) as Settings, recipe as unknown as Settings);
    if (name in settings || values[key] !== option.default) settings[name] = values[key];
  }
  return recipe;
}
