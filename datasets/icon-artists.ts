/**
 * Iconify's sets as sources of training data: who drew them, and which of their icons are sketches or pictures.
 *
 * Outline icons are sketches; solid and colored ones are pictures. All sets of an artist are on one side, so that a
 * network cannot find a picture by its artist's hand; sets that mix artists or are made of logos, flags, pixels or
 * interface glyphs are left out.
 */
import type { Domain } from '../src/data/dataset.ts';

export interface IconSetChoice {
  /** Iconify's prefix of the set. */
  readonly set: string;
  /** Who drew it, as Iconify's collections.json says. */
  readonly artist: string;
  /** Names of the icons that are taken. Default: all. */
  readonly only?: RegExp;
  /** Names of the icons that are not. Default: none. */
  readonly not?: RegExp;
}

const NOT_SOLID = /(^|-)(fill|filled|solid|bold|duotone|twotone|two-tone|bulk|sharp|alt-filled)(-|$)/;
const NOT_OUTLINE = /(^|-)(outline|outlined|line|light|thin|regular|variant)(-|$)/;

/** Thin outlines, as a person would draw them with a pen. */
const SKETCH_SETS: readonly IconSetChoice[] = [
  { set: 'tabler', artist: 'Paweł Kuna', not: NOT_SOLID },
  { set: 'lucide', artist: 'Lucide Contributors' },
  { set: 'lucide-lab', artist: 'Lucide Contributors' },
  { set: 'iconoir', artist: 'Luca Burgio', not: NOT_SOLID },
  { set: 'hugeicons', artist: 'Hugeicons' },
  { set: 'iconmind', artist: 'IconMind', only: /-outline-regular$/ },
  { set: 'keyline-icons', artist: 'Keyline Icons', not: NOT_SOLID },
  { set: 'mynaui', artist: 'Praveen Juge', not: NOT_SOLID },
  { set: 'vadivam', artist: 'Praveen Juge', not: NOT_SOLID },
  { set: 'solar', artist: '480 Design', only: /-linear$/ },
  { set: 'ph', artist: 'Phosphor Icons', only: /-light$/ },
  { set: 'reicon', artist: 'REICON', not: NOT_SOLID },
  { set: 'carbon', artist: 'IBM', not: NOT_SOLID },
  { set: 'boxicons', artist: 'Boxicons', not: NOT_SOLID },
  { set: 'bx', artist: 'Boxicons' },
  { set: 'mingcute', artist: 'MingCute Design', only: /-line$/ },
  { set: 'ri', artist: 'Remix Design', only: /-line$/ },
  { set: 'uil', artist: 'Iconscout' },
  { set: 'teenyicons', artist: 'smhmd', only: /-outline$/ },
  { set: 'akar-icons', artist: 'Arturo Wibawa', not: NOT_SOLID },
  { set: 'ci', artist: 'Kryston Schwarze' },
  { set: 'circum', artist: 'Klarr Agency' },
  { set: 'majesticons', artist: 'Gerrit Halfmann', only: /-line$/ },
  { set: 'ant-design', artist: 'HeskeyBaozi', only: /-outlined$/ },
  { set: 'cil', artist: 'creativeLabs Łukasz Holeczek' },
  { set: 'bi', artist: 'The Bootstrap Authors', not: /-fill$/ },
  { set: 'si', artist: 'Abhimanyu Rana', only: /-line$/ },
  { set: 'system-uicons', artist: 'Corey Ginnivan' },
  { set: 'bytesize', artist: 'Dan Klammer' },
  { set: 'quill', artist: 'Casper Lourens' },
  { set: 'charm', artist: 'Jay Newey' },
  { set: 'simple-line-icons', artist: 'Sabbir Ahmed' },
  { set: 'pepicons-pencil', artist: 'CyCraft', not: /-(off|circle)/ },
  { set: 'heroicons', artist: 'Refactoring UI Inc', not: NOT_SOLID },
  { set: 'ion', artist: 'Ben Sperry', only: /-outline$/ },
  { set: 'eva', artist: 'Akveo', only: /-outline$/ },
  { set: 'meteor-icons', artist: 'zkreations' },
  { set: 'mage', artist: 'MageIcons', not: NOT_SOLID },
  { set: 'lets-icons', artist: 'Leonid Tsvetkov', only: /-light$/ },
  { set: 'tdesign', artist: 'TDesign', not: NOT_SOLID },
  { set: 'iconamoon', artist: 'Dariush Habibpour', only: /-light$/ },
  { set: 'stash', artist: 'Pingback LLC', only: /-light$/ },
  { set: 'basil', artist: 'Craftwork', only: /-outline$/ },
  { set: 'grommet-icons', artist: 'Grommet' },
  { set: 'flowbite', artist: 'Themesberg', only: /-outline$/ },
  { set: 'griddy-icons', artist: 'Zuzana Benova', not: NOT_SOLID },
  { set: 'proicons', artist: 'ProCode' },
  { set: 'gravity-ui', artist: 'YANDEX LLC', not: NOT_SOLID },
  { set: 'at-icons', artist: 'Valentin Fossati' },
  { set: 'lineicons', artist: 'Lineicons' },
  { set: 'clarity', artist: 'VMware', only: /-line$/ },
  { set: 'healthicons', artist: 'Resolve to Save Lives', only: /-outline$/ },
  { set: 'humbleicons', artist: 'Jiří Zralý' },
  { set: 'codex', artist: 'CodeX' },
  { set: 'feather', artist: 'Cole Bemis' },
];

/** Solid shapes, in one color or many. */
const PICTURE_SETS: readonly IconSetChoice[] = [
  { set: 'material-symbols', artist: 'Google', not: NOT_OUTLINE },
  { set: 'mdi', artist: 'Pictogrammers', not: NOT_OUTLINE },
  { set: 'game-icons', artist: 'GameIcons' },
  { set: 'fluent', artist: 'Microsoft Corporation', only: /-(24|28|32|48)-filled$/ },
  { set: 'fluent-color', artist: 'Microsoft Corporation', only: /-(24|28|32|48)$/ },
  { set: 'fluent-emoji', artist: 'Microsoft Corporation' },
  { set: 'streamline-color', artist: 'Streamline', only: /-flat$/ },
  { set: 'streamline-flex-color', artist: 'Streamline' },
  { set: 'streamline-plump-color', artist: 'Streamline' },
  { set: 'streamline-sharp-color', artist: 'Streamline' },
  { set: 'streamline-ultimate-color', artist: 'Streamline' },
  { set: 'streamline-freehand-color', artist: 'Streamline' },
  { set: 'streamline-kameleon-color', artist: 'Streamline' },
  { set: 'streamline-cyber-color', artist: 'Streamline' },
  { set: 'streamline-stickies-color', artist: 'Streamline' },
  { set: 'streamline', artist: 'Streamline', only: /-solid$/ },
  { set: 'streamline-flex', artist: 'Streamline', only: /-solid$/ },
  { set: 'streamline-plump', artist: 'Streamline', only: /-solid$/ },
  { set: 'streamline-sharp', artist: 'Streamline', only: /-solid$/ },
  { set: 'streamline-ultimate', artist: 'Streamline', only: /-bold$/ },
  { set: 'streamline-block', artist: 'Streamline' },
  { set: 'streamline-emojis', artist: 'Streamline' },
  { set: 'icon-park', artist: 'ByteDance' },
  { set: 'icon-park-solid', artist: 'ByteDance' },
  { set: 'icon-park-twotone', artist: 'ByteDance' },
  { set: 'fa7-solid', artist: 'Dave Gandy' },
  { set: 'fa6-solid', artist: 'Dave Gandy' },
  { set: 'fa-solid', artist: 'Dave Gandy' },
  { set: 'maki', artist: 'Mapbox' },
  { set: 'temaki', artist: 'Bryan Housel' },
  { set: 'pinhead', artist: 'Quincy Morgan' },
  { set: 'roentgen', artist: 'Sergey Vartanov' },
  { set: 'osmic', artist: 'GMGeo' },
  { set: 'map', artist: 'Scott de Jonge' },
  { set: 'medical-icon', artist: 'Samuel Frémondière' },
  { set: 'fontisto', artist: 'Kenan Gündoğan' },
  { set: 'flat-color-icons', artist: 'Icons8' },
  { set: 'icons8', artist: 'Icons8' },
  { set: 'marketeq', artist: 'Marketeq' },
  { set: 'meteocons', artist: 'Bas Milius', only: /-fill$/ },
  { set: 'glyphs', artist: 'Goran Spasojevic', only: /-bold$/ },
  { set: 'glyphs-poly', artist: 'Goran Spasojevic' },
  { set: 'whh', artist: 'WebHostingHub' },
  { set: 'si-glyph', artist: 'SmartIcons' },
  { set: 'vaadin', artist: 'Vaadin' },
  { set: 'subway', artist: 'Mariusz Ostrowski' },
  { set: 'typcn', artist: 'Stephen Hutchings', not: NOT_OUTLINE },
  { set: 'entypo', artist: 'Daniel Bruce' },
  { set: 'foundation', artist: 'Zurb' },
  { set: 'raphael', artist: 'Dmitry Baranovskiy' },
  { set: 'el', artist: 'Team Redux' },
  { set: 'garden', artist: 'Zendesk', only: /-fill-/ },
  { set: 'ix', artist: 'Siemens AG', only: /-filled$/ },
  { set: 'f7', artist: 'Vladimir Kharlampidi', only: /-fill$/ },
  { set: 'zmdi', artist: 'MDI Community', not: NOT_OUTLINE },
  { set: 'picon', artist: 'Picon Contributors' },
  { set: 'duo-icons', artist: 'fernandcf' },
  { set: 'jam', artist: 'Michael Amprimo', only: /-f$/ },
  { set: 'noto', artist: 'Google Inc' },
  { set: 'noto-v1', artist: 'Google Inc' },
  { set: 'fxemoji', artist: 'Mozilla' },
  { set: 'fluent-emoji-flat', artist: 'Microsoft Corporation' },
  { set: 'fluent-emoji-high-contrast', artist: 'Microsoft Corporation' },
];

export const ICON_SETS: readonly (IconSetChoice & { readonly domain: Domain })[] = [
  ...SKETCH_SETS.map((choice) => ({ ...choice, domain: 'sketch' as const })),
  ...PICTURE_SETS.map((choice) => ({ ...choice, domain: 'photo' as const })),
];

/** Whether an icon of a set is taken. */
export const takesIcon = ({ only, not }: IconSetChoice, name: string): boolean =>
  (only?.test(name) ?? true) && !(not?.test(name) ?? false);
