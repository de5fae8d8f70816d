import type { NatsCredentials } from "@runlane/platform";

/** What the thread of history is started with. */
export interface ThreadData {
  /** Path of the database. */
  readonly file: string;
  readonly partition: number;
  readonly nats: { readonly servers: string | string[] } & NatsCredentials;
  /** Level below which nothing is logged. */
  readonly logLevel: string;
}

/** Calls that the thread answers: FindRuns, AwaitChanges, reading one run, and bringing all to the disk, which is answered by a number. Messages travel encoded. */
export type ThreadCall =
  | { readonly method: "find" | "awaitChanges"; readonly request: Uint8Array }
  | { readonly method: "secure" }
  | { readonly method: "read"; readonly environment: string; readonly runId: string; readonly sequence: number };

/** To the thread. */
export type ToThread =
  /** An owner begins to serve at this epoch. */
  | { readonly kind: "begin"; readonly epoch: number }
  /** A record that the owner committed. */
  | { readonly kind: "record"; readonly sequence: number; readonly record: Uint8Array }
  /** Records up to here were committed, and not all were sent. */
  | { readonly kind: "know"; readonly sequence: number }
  | ({ readonly kind: "call"; readonly id: number } & ThreadCall)
  | { readonly kind: "close" };

/** From the thread. */
export type FromThread =
  /** It has opened the file. */
  | { readonly kind: "open"; readonly position: number }
  /** So many bytes of records have been taken. */
  | { readonly kind: "took"; readonly bytes: number }
  /** The encoded answer; undefined if there is none. */
  | { readonly kind: "answer"; readonly id: number; readonly response: Uint8Array | undefined }
  /** An encoded google.rpc.Status. */
  | { readonly kind: "refused"; readonly id: number; readonly status: Uint8Array }
  /** A line of its log, as JSON. */
  | { readonly kind: "log"; readonly line: string };
