import type { Archive, Layout } from './layout.ts';
import { sharedFolders } from './shared-folders.ts';

/** QuickDraw as ZSE-SBIR (Lin et al., CVPR 2023) has it. */
async function zseQuickdrawAt(root: string): Promise<Archive | undefined> {
  const folders = await sharedFolders(root);
  return (
    folders && { root, layout: 'ZSE-SBIR folders', set: 'quickdraw', ...folders, drawingFiles: [], listFolders: [] }
  );
}

/** QuickDraw Extended in folders that TU-Berlin has, too, so that it is tried after TU-Berlin. */
export const zseQuickdraw: Layout = { innerFolders: /^$/, archives: [zseQuickdrawAt] };
