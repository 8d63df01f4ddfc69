/** No usable adapter. The message names the package that installs one on this system. */
export class AdapterError extends Error {
  override readonly name = 'AdapterError';
}

/** A request that this adapter's limits cannot hold; names the limit, what was asked and what is there. */
export class LimitError extends Error {
  override readonly name = 'LimitError';
}

/** A request for what this adapter does not have; names the feature, and what to do without it. */
export class FeatureError extends Error {
  override readonly name = 'FeatureError';
}

/**
 * A shader that does not compile or a pipeline that cannot be made; holds the numbered source lines around each
 * message.
 */
export class ShaderError extends Error {
  override readonly name = 'ShaderError';
}

/** A command that WebGPU's validation refused. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError';
}

/** What was used has been given back before: a program or a storage by `destroy`, a device by `dispose`. */
export class DisposedError extends Error {
  override readonly name = 'DisposedError';
}

/** The device was lost; everything that was on it is gone. Open a new one and load the last checkpoint. */
export class DeviceLostError extends Error {
  override readonly name = 'DeviceLostError';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(
      `the GPU device was lost (${reason}): ${message || 'no further message'}. Open a new device and continue from the last checkpoint.`,
    );
    this.reason = reason;
  }
}
