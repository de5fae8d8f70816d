import type { NatsCredentials } from "@runlane/platform";
import type { WrittenSnapshot } from "./write-snapshot.js";

/** What the thread that writes a snapshot is started with. */
export interface SnapshotThreadData {
  readonly partition: number;
  readonly nats: { readonly servers: string | string[] } & NatsCredentials;
  /** Sequence at which it is to stand. */
  readonly to: number;
  /** Level below which nothing is logged. */
  readonly logLevel: string;
}

/** What it says. A failure is an error of the thread. */
export type SnapshotMessage =
  | { readonly kind: "written"; readonly snapshot: WrittenSnapshot }
  /** A line of its log, as JSON. */
  | { readonly kind: "log"; readonly line: string };
