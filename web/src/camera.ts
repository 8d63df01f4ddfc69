import { element, nameElement } from './page.ts';

/** A camera that gives no picture. The message says what to do. */
export class CameraError extends Error {
  override readonly name = 'CameraError';
}

const REASONS: Readonly<Record<string, string>> = {
  NotAllowedError: 'The camera may not be used by this page: allow it in the address bar, or add pictures as files.',
  NotFoundError: 'There is no camera on this device: add pictures as files.',
  NotReadableError: 'The camera is in use by another program: close it there, or add pictures as files.',
};

/**
 * Shows what the camera sees, until the visitor closes the dialog.
 * @param name of what is to be taken
 * @param onPicture hears of each picture
 * @throws CameraError where there is no camera, or it may not be used
 */
export async function takePictures(name: string, onPicture: (picture: Blob) => void): Promise<void> {
  const dialog = element<HTMLDialogElement>('camera');
  const video = element<HTMLVideoElement>('camera-video');
  const stream = await navigator.mediaDevices
    .getUserMedia({ video: { facingMode: 'environment' }, audio: false })
    .catch((error: DOMException) => {
      throw new CameraError(REASONS[error.name] ?? `The camera gives no picture: ${error.message}`);
    });
  const ended = new AbortController();
  element('camera-title').replaceChildren('Pictures of ', nameElement(name));
  element('camera-count').textContent = '';
  video.srcObject = stream;
  let taken = 0;
  element('camera-take').addEventListener(
    'click',
    () => {
      void pictureOf(video).then((picture) => {
        if (picture === undefined) return;
        onPicture(picture);
        element('camera-count').textContent = `${++taken} taken`;
      });
    },
    { signal: ended.signal },
  );
  dialog.addEventListener(
    'close',
    () => {
      // The camera's light goes out.
      for (const track of stream.getTracks()) track.stop();
      video.srcObject = null;
      ended.abort();
    },
    { signal: ended.signal },
  );
  dialog.showModal();
  await video.play();
}

/** The picture that a video shows, or undefined before it shows any. */
async function pictureOf(video: HTMLVideoElement): Promise<Blob | undefined> {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  if (canvas.width === 0) return undefined;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
}
