/** A session of a worker, as the log tells of it. */
export interface SessionModel {
  readonly number: number;
  readonly workerId: string;
  readonly incarnation: bigint;
  readonly version: string;
  readonly milliCpus: number;
  readonly memoryMib: number;
  /** When it was last heard of, on the monotonic clock. */
  heardAt: number;
  /** Its stream; undefined while it has none. */
  connection: ConnectionModel | undefined;
}

/** The stream of a session. */
export interface ConnectionModel {
  readonly streamId: string;
  readonly session: SessionModel;
  readonly tasks: ReadonlySet<string>;
  readonly slots: number;
  draining: boolean;
}

/** A version of the code. */
export interface VersionModel {
  readonly version: string;
  readonly index: number;
  setAside: boolean;
}
