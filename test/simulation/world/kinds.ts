/** What may happen, and how often it does beside the others. A seed leaves some of them out. */
export const kinds = {
  /** Runs are triggered. */
  trigger: 10,
  /** The same request comes again. */
  repeat: 1,
  cancel: 2,
  /** A part of a batch is sent. */
  batch: 2,
  /** Somebody looks at a batch. */
  readBatch: 0.5,
  /** A delayed run is given another time. */
  reschedule: 1,
  /** An idempotency key is ended. */
  endKey: 0.5,
  /** A worker takes what it was offered. */
  accept: 10,
  decline: 1,
  /** An attempt returns. */
  succeed: 9,
  fail: 4,
  /** An attempt is given back undone. */
  release: 1,
  /** Running code triggers others. */
  spawn: 2,
  /** Running code triggers others and waits for them. */
  wait: 3,
  waitOn: 2,
  /** Running code changes its tags and metadata. */
  update: 1,
  /** The code of a cancelled run has ended. */
  confirm: 3,
  heartbeat: 4,
  /** A worker connects, says Hello again, or comes with another life. */
  connect: 3,
  /** A worker dies. */
  die: 1,
  /** The stream of a worker ends. */
  close: 1,
  /** A worker takes nothing new. */
  drain: 1,
  /** A frame that was late arrives. */
  late: 1,
  /** Somebody says something with a token of long ago. */
  mischief: 2,
  /** Time passes, and workers show that they live. */
  moment: 8,
  seconds: 4,
  minutes: 1,
  /** Time passes, and nobody shows that he lives. */
  silence: 1,
  hours: 0.3,
  /** The wall's clock is set. */
  clock: 0.5,
  promote: 1,
  /** Somebody pauses a queue or the environment, or changes a limit. */
  govern: 1.5,
  /** Somebody wants the result of a run. */
  subscribe: 2,
  /** The owner dies. */
  crash: 1.5,
  /** Running code waits for a time. Only in histories that have waiting, as all that follows. */
  waitTime: 3,
  /** Running code waits for a token. */
  waitToken: 3,
  /** Running code records a step. */
  record: 3,
  /** A token is created, or completed. */
  token: 4,
} as const;

/** What happens only where code waits for more than runs, and names its calls. */
export const waitingKinds: ReadonlySet<Kind> = new Set(["waitTime", "waitToken", "record", "token"]);

/** A kind of command. */
export type Kind = keyof typeof kinds;

/** Something that happens. The number says how: to whom, and with what. It depends on nothing before it, so that a history stays one when commands are left out. */
export type Command = readonly [kind: Kind, how: number];
