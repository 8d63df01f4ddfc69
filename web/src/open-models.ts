/** One device and the models that were opened, named by their checksums. At most one of them is on the device. */
import { fewestPipelines } from '../../src/autodiff/fewest-pipelines.ts';
import type { SketchFraming } from '../../src/data/sketch-framing.ts';
import type { Device } from '../../src/gpu/device.ts';
import { DeviceLostError } from '../../src/gpu/errors.ts';
import { openDevice } from '../../src/platform/browser/adapter.ts';
import type { ModelFile } from '../../src/models/model-file.ts';
import { modelEmbeddings, type ImageRows } from '../../src/models/image-rows.ts';
import {
  openRetrievalModel,
  readModelDescription,
  similarityCutOff,
  type RetrievalModel,
} from '../../src/models/retrieval-model.ts';

export interface ModelSummary {
  readonly name: string;
  readonly checksum: string;
  /** Side of the images in pixels. */
  readonly imageSize: number;
  /** How sketches to search with are laid out. */
  readonly sketches: SketchFraming | undefined;
  readonly dimension: number;
  readonly parameters: number;
  /**
   * The similarity to a sketch below which the best picture means nothing; undefined where the model was not
   * calibrated.
   */
  readonly nothing: number | undefined;
}

/** What goes on during a long call. */
export type Progress = (done: number, total: number) => void;

export interface OpenModel {
  readonly file: ModelFile;
  readonly summary: ModelSummary;
  /** On the device, while it is the one in use. */
  onDevice?: {
    readonly model: RetrievalModel;
    readonly one: ImageRows;
    many?: ImageRows;
    /** Pictures that `one` has embedded. */
    embedded: number;
  };
}

export class OpenModels {
  private device: Promise<Device> | undefined;
  private readonly models = new Map<string, OpenModel>();
  private queue: Promise<unknown> = Promise.resolve();
  /** Hears of each pipeline that is compiled. */
  onCompiled: Progress | undefined;

  /** The device, opened where it is not. */
  open(): Promise<Device> {
    this.device ??= openDevice();
    // A failure is reported to the caller; the next call tries again.
    this.device.catch(() => (this.device = undefined));
    return this.device;
  }

  /** @throws where no such model is open */
  model(checksum: string): OpenModel {
    const model = this.models.get(checksum);
    if (model === undefined) throw new Error(`no model with the checksum ${checksum} is open`);
    return model;
  }

  has(checksum: string): boolean {
    return this.models.has(checksum);
  }

  /** Keeps a model, so that it can be used by its checksum. */
  keep(file: ModelFile, name: string): ModelSummary {
    const { settings, imageSize, sketches } = readModelDescription(file, name);
    const parameters = [...file.state.values()].reduce((sum, { values }) => sum + values.length, 0);
    const summary = {
      name,
      checksum: file.checksum,
      imageSize,
      sketches,
      dimension: settings.embedding,
      parameters,
      nothing: similarityCutOff(file, name),
    };
    this.models.set(file.checksum, { file, summary, onDevice: this.models.get(file.checksum)?.onDevice });
    return summary;
  }

  /** Runs with a model on the device, alone; once more on a new device where that was lost. */
  onDevice<Result>(
    checksum: string,
    work: (model: OpenModel & { onDevice: NonNullable<OpenModel['onDevice']> }) => Promise<Result>,
  ): Promise<Result> {
    const attempt = (): Promise<Result> =>
      this.exclusively(async () => {
        const entry = this.model(checksum);
        if (entry.onDevice === undefined) {
          this.letGo();
          const model = openRetrievalModel(await this.open(), entry.file, entry.summary.name, fewestPipelines);
          entry.onDevice = { model, one: await modelEmbeddings(model, 1, this.onCompiled), embedded: 0 };
        }
        return work(entry as OpenModel & { onDevice: NonNullable<OpenModel['onDevice']> });
      });
    return attempt().catch((error: unknown) => {
      if (!(error instanceof DeviceLostError)) throw error;
      this.forgetDevice();
      return attempt();
    });
  }

  /** One call after the other has the device. */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.queue.then(work);
    this.queue = result.catch(() => undefined);
    return result;
  }

  /** Takes all models off the device. */
  letGo(): void {
    for (const entry of this.models.values()) {
      entry.onDevice?.one.destroy();
      entry.onDevice?.many?.destroy();
      entry.onDevice?.model.storage.destroy();
      entry.onDevice = undefined;
    }
  }

  /** The device was lost, and the models on it with it. */
  forgetDevice(): void {
    for (const entry of this.models.values()) entry.onDevice = undefined;
    this.device = undefined;
  }
}
