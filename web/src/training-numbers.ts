/** The steps and the learning rate of a training, by a preset or as they are typed. */
import { element } from './page.ts';

/** Steps and learning rate, by the presets' names; any others are the visitor's own. */
const PRESETS: Readonly<Record<string, readonly [steps: number, rate: number]>> = {
  quick: [60, 1e-3],
  thorough: [240, 1e-3],
  gentle: [120, 2e-4],
};

const numberInputs = (): HTMLInputElement[] => ['train-steps', 'train-rate'].map((id) => element<HTMLInputElement>(id));

/** A preset fills in both numbers, and typed numbers are a custom preset. */
export function listenToPresets(): void {
  const preset = element<HTMLSelectElement>('train-preset');
  const inputs = numberInputs();
  const show = (): void => {
    element('train-numbers').hidden = preset.value in PRESETS;
    if (preset.value in PRESETS) inputs.forEach((input, index) => (input.value = String(PRESETS[preset.value][index])));
  };
  preset.addEventListener('change', show);
  show();
}

/** The numbers, or what is wrong with one of them, which then has the focus. */
export function trainingNumbers():
  { readonly steps: number; readonly learningRate: number } | { readonly wrong: string } {
  const inputs = numberInputs();
  const wrong = inputs.find((input) => !input.validity.valid || Number.isNaN(input.valueAsNumber));
  if (wrong !== undefined) {
    wrong.focus();
    return {
      wrong: `${wrong.id === 'train-steps' ? 'Steps must be a whole number' : 'The learning rate must be a number'} from ${wrong.min} to ${wrong.max}.`,
    };
  }
  const [steps, learningRate] = inputs.map((input) => input.valueAsNumber);
  return { steps, learningRate };
}
