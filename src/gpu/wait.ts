/** How the host waits for the device's work: returns the promise, and may do something until it settles. */
export type Wait = <Result>(work: Promise<Result>) => Promise<Result>;
