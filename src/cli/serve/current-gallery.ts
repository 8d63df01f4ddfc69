import type { Searcher } from '../../server/search-handler.ts';
import type { ServedGallery } from './served-gallery.ts';

/** The gallery in service, which another one can replace. A search ends in the gallery in which it began. */
export class CurrentGallery {
  readonly searcher: Searcher = {
    search: async (...query) => {
      const state = this.state;
      state.searches++;
      try {
        return await state.gallery.searcher.search(...query);
      } finally {
        state.searches--;
        if (state.searches === 0) state.onIdle?.();
      }
    },
  };
  private state: State;

  constructor(gallery: ServedGallery) {
    this.state = { gallery, searches: 0 };
  }

  get gallery(): ServedGallery {
    return this.state.gallery;
  }

  /** Serves another gallery from now on, and closes the old one once its searches have ended. */
  async replace(gallery: ServedGallery): Promise<void> {
    const old = this.state;
    this.state = { gallery, searches: 0 };
    if (old.searches > 0) await new Promise<void>((resolve) => (old.onIdle = resolve));
    await old.gallery.close();
  }
}

interface State {
  readonly gallery: ServedGallery;
  searches: number;
  onIdle?: () => void;
}
