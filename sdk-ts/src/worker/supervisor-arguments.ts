/** What a launcher tells its supervisor. Address and key are not among it: arguments of a process are for everybody to see, so they come by the environment. */
export interface SupervisorArguments {
  readonly manifestFile: string;
  /** See Hello. */
  readonly workerId: string;
  readonly incarnation: number;
  /** Attempts at once. */
  readonly slots: number;
  /** Shared runner processes at most. Default: as many as processors. */
  readonly sharedRunners?: number | undefined;
  /** How long attempts may go on after the first SIGTERM or SIGINT, in milliseconds. */
  readonly graceMs: number;
}

/** Exit codes of a supervisor by which its launcher knows not to start it again. */
export const supervisorExitCodes = {
  /** It was told to stop, and has. */
  finished: 0,
  /** The server does not want this worker, or it can not start at all; it has said why. */
  refused: 78,
} as const;
