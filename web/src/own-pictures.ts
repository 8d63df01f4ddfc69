import type { Remote } from 'comlink';
import { OwnCollection } from './collections.ts';
import type { Engine } from './engine.ts';
import { element, explain, picturesOf, trouble } from './page.ts';

/** The view of the visitor's own pictures: takes them, makes small copies, and tells when they can be searched. */
export async function ownPictures(engine: Remote<Engine>, onChange: (collection: OwnCollection, onProgress: (done: number, total: number) => void) => Promise<void>): Promise<OwnCollection> {
  const collection = await OwnCollection.restore();
  const status = element('own-status');
  const progress = element<HTMLProgressElement>('own-progress');
  const forget = element<HTMLButtonElement>('own-forget');
  const inputs = ['own-folder', 'own-files'].map((id) => element<HTMLInputElement>(id));
  const show = (): void => {
    forget.hidden = collection.names.length === 0;
    if (collection.names.length > 0) status.textContent = `${collection.names.length} pictures, kept on this device.`;
  };
  const add = async (files: readonly File[]): Promise<void> => {
    if (files.length === 0) {
      status.textContent = 'There was no picture among these files.';
      return;
    }
    trouble();
    inputs.forEach((input) => (input.disabled = true));
    forget.disabled = true;
    progress.hidden = false;
    progress.max = files.length;
    const copies: { name: string; copy: Blob }[] = [];
    const unreadable: string[] = [];
    try {
      for (const [index, file] of files.entries()) {
        progress.value = index;
        status.textContent = `Reading ${index + 1} of ${files.length}: ${file.name}`;
        const copy = await engine.shrink(file, file.name).catch(() => undefined);
        if (copy === undefined) unreadable.push(file.name);
        else copies.push({ name: file.webkitRelativePath || file.name, copy });
      }
      const kept = await collection.add(copies);
      show();
      if (!kept) status.textContent = `${collection.names.length} pictures. This browser does not keep them for the next visit.`;
      if (unreadable.length > 0) status.textContent += ` Not readable: ${unreadable.slice(0, 5).join(', ')}${unreadable.length > 5 ? ` and ${unreadable.length - 5} more` : ''}.`;
      const said = status.textContent;
      await onChange(collection, (done, total) => {
        progress.max = total;
        progress.value = done;
        status.textContent = `Embedding ${done} of ${total}`;
      });
      status.textContent = said;
    } catch (error) {
      trouble(explain(error));
    } finally {
      progress.hidden = true;
      inputs.forEach((input) => (input.disabled = false));
      forget.disabled = false;
    }
  };
  for (const input of inputs) {
    input.addEventListener('change', () => {
      void add(picturesOf(input.files ?? []));
      input.value = '';
    });
  }
  forget.addEventListener('click', () => {
    void collection.forget().then(() => {
      status.textContent = 'They are forgotten.';
      show();
      return onChange(collection, () => undefined);
    });
  });
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    if ((event.target as HTMLElement).id === 'pad' || event.dataTransfer === null) return;
    if (inputs[0].disabled) return;
    void filesIn([...event.dataTransfer.items]).then((files) => add(picturesOf(files)));
  });
  show();
  return collection;
}

/** The files of a drop, folders opened. */
async function filesIn(items: readonly DataTransferItem[]): Promise<File[]> {
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const open = async (entry: FileSystemEntry): Promise<File[]> => {
    if (entry.isFile) return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    const files: File[] = [];
    // A reader gives its entries in portions, an empty one at the end.
    for (;;) {
      const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (portion.length === 0) return files;
      for (const each of portion) files.push(...(await open(each)));
    }
  };
  return (await Promise.all(entries.map(open))).flat();
}
