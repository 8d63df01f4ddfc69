/** How the host waits for the device's work: passes the promise on, and may do something for its sake meanwhile. */
export type Wait = <Result>(work: Promise<Result>) => Promise<Result>;
