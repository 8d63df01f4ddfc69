import type { DrawingPad } from './drawing-pad.ts';

/**
 * Lets a picture be chosen, dropped on the pad, or pasted.
 * @param onUnreadable hears of one that cannot be shown
 */
export function offerPictures(pad: DrawingPad, input: HTMLInputElement, onUnreadable: (error: Error) => void): void {
  const show = (picture: Blob | undefined): void => {
    if (picture === undefined) return;
    pad.show(picture).catch((cause: unknown) =>
      onUnreadable(
        new Error(`This picture cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        }),
      ),
    );
  };
  input.addEventListener('change', () => {
    show(input.files?.[0]);
    input.value = '';
  });
  pad.canvas.addEventListener('dragover', (event) => event.preventDefault());
  pad.canvas.addEventListener('drop', (event) => {
    event.preventDefault();
    show(event.dataTransfer?.files[0]);
  });
  document.addEventListener('paste', (event) =>
    show([...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'))),
  );
}
