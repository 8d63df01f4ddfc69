// A thread of `IndexKeeper`: rewriting an index of a million pictures takes seconds.
import { serveTasks } from '../../platform/node/serve-tasks.ts';
import { updateIndex, type IndexChanges } from '../files/update-index.ts';

export interface UpdateTask {
  readonly file: string;
  readonly changes: IndexChanges;
}

serveTasks({
  async update({ file, changes }: UpdateTask) {
    await updateIndex(file, changes);
    return { output: undefined, transfer: [] };
  },
});
