import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { NatsLink } from "./connection.js";

/** JetStream answered with an error. */
export class JetStreamRefusal extends Error {
  override readonly name = "JetStreamRefusal";
  /** NATS's number of the error (`err_code`). */
  readonly code: number;
  /** Whether it is expected to pass: JetStream is starting, or has no leader at present. */
  readonly passing: boolean;

  constructor({ err_code, code, description }: JetStreamError) {
    super(`${description} (JetStream error ${err_code})`);
    this.code = err_code;
    this.passing = code === 503;
  }
}

/** An error as it stands in an answer. */
export interface JetStreamError {
  readonly err_code: number;
  /** What HTTP would say: 400, 404, 503. */
  readonly code: number;
  readonly description: string;
}

/** Whether the same request may well succeed a little later. */
export function isPassing(error: unknown): boolean {
  return error instanceof JetStreamAway || (error instanceof JetStreamRefusal && error.passing);
}

/** JetStream gave no answer: NATS is away or starting, or a stream has no leader at present. Whether the request had an effect is not known. */
export class JetStreamAway extends Error {
  override readonly name = "JetStreamAway";
}

/** Numbers of errors that Runlane tells apart. */
export const jetStreamErrors = {
  /** The account's resources are used up. */
  accountResources: 10002,
  /** JetStream is starting or without a leader. */
  temporarilyUnavailable: 10008,
  /** The server's resources are used up. */
  resources: 10023,
  /** The memory limit is reached. */
  memoryResources: 10028,
  /** There is no message with this sequence. */
  noMessage: 10037,
  /** The storage limit is reached. */
  storageResources: 10047,
  /** A message has more bytes than the stream takes. */
  messageTooLarge: 10054,
  /** A stream of this name has another configuration. */
  streamNameInUse: 10058,
  /** There is no such stream. */
  streamNotFound: 10059,
  /** The expected last sequence is not the last. */
  wrongLastSequence: 10071,
  /** The store could not take the message: a limit, or the disk. */
  storeFailed: 10077,
  /** A stream's leader has just changed. */
  streamUnavailable: 10163,
  /** A write on which the expectation depends is not decided yet. */
  lastSequenceUndecided: 10164,
} as const;

const roomErrors: readonly (number | undefined)[] = [
  jetStreamErrors.accountResources,
  jetStreamErrors.resources,
  jetStreamErrors.memoryResources,
  jetStreamErrors.storageResources,
  jetStreamErrors.storeFailed,
];

/** Whether this number of an error says that the store has no room. */
export function isWantOfRoom(code: number | undefined): boolean {
  return roomErrors.includes(code);
}

/** Answer to `INFO`, as far as it is used. */
export interface AccountInfo {
  readonly api: { readonly level?: number };
}

/** Answer to `STREAM.INFO.<name>`, as far as it is used. */
export interface StreamInfo {
  readonly state: { readonly first_seq: number; readonly last_seq: number };
}

/** Answer to `STREAM.MSG.GET.<name>`, as far as it is used. */
export interface StoredMessage {
  readonly message: { readonly seq: number; readonly data?: string; readonly hdrs?: string };
}

/** Acknowledgement of a publish into a stream. */
export interface PublishAck {
  readonly stream: string;
  readonly seq: number;
}

/**
 * Calls an operation of JetStream's API, say `STREAM.INFO.X`.
 *
 * @throws JetStreamRefusal if it answers with an error, JetStreamAway if it does not answer within `timeoutMs` (default 2,000).
 */
export async function jetStreamRequest<T>(connection: NatsConnection, operation: string, body?: object, { timeoutMs = 2_000 } = {}): Promise<T> {
  return await ask<T>(connection, `$JS.API.${operation}`, body === undefined ? "" : JSON.stringify(body), { timeout: timeoutMs });
}

/**
 * Publishes into a stream and waits for its acknowledgement, once. Not for logs, which have a way of their own.
 *
 * @throws JetStreamRefusal if the stream refuses it, JetStreamAway if there is no answer within `timeoutMs` (default 2,000): it may have been stored.
 */
export async function jetStreamPublish(
  connection: NatsConnection,
  subject: string,
  data: string | Uint8Array,
  headers: MsgHdrs,
  { timeoutMs = 2_000 } = {},
): Promise<PublishAck> {
  return await ask<PublishAck>(connection, subject, data, { timeout: timeoutMs, headers });
}

/**
 * Gives a request up when its connection is lost or comes back, instead of waiting for a time-out, and when `signal` is aborted.
 *
 * @throws JetStreamAway in the first case, the signal's reason in the second.
 */
export async function unlessInterrupted<T>(link: NatsLink, request: Promise<T>, signal?: AbortSignal): Promise<T> {
  let stop = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    const unwatch = link.watch(() => reject(new JetStreamAway("the connection to NATS was lost, or is a new one")));
    stop = () => {
      signal?.removeEventListener("abort", abort);
      unwatch();
    };
  });
  return await Promise.race([request, interrupted]).finally(stop);
}

async function ask<T>(connection: NatsConnection, subject: string, data: string | Uint8Array, options: { timeout: number; headers?: MsgHdrs }): Promise<T> {
  let answer: T & { error?: JetStreamError };
  try {
    answer = (await connection.request(subject, data, options)).json();
  } catch (error) {
    // Time-outs, no responders, lost connections. A closed connection stays closed: its user knows.
    throw new JetStreamAway(`${subject}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (answer.error) throw new JetStreamRefusal(answer.error);
  return answer;
}
