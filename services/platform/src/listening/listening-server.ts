/** A server that listens. */
export interface ListeningServer {
  /** The address for clients on this machine, for instance `http://127.0.0.1:7400`; `https://…` with TLS. */
  readonly address: string;
  /** The port, also if 0 was asked for. */
  readonly port: number;
  /**
   * Takes no more connections, asks clients to go elsewhere, and waits until all calls are over. Those that are not after `graceMs`, streams half a second at most, end with
   * UNAVAILABLE and reason DRAINING.
   */
  drain(graceMs: number): Promise<void>;
  /** Like `drain(0)`; cuts a drain short that is under way. */
  close(): Promise<void>;
}

/** Streams would not end by themselves, and their clients go on elsewhere. */
const mostStreamGraceMs = 500;

/** How long a drain may take. */
export interface DrainLimits {
  /** For unary calls, in milliseconds. */
  readonly graceMs: number;
  /** For streams, in milliseconds; at most `graceMs`. */
  readonly streamGraceMs: number;
  /** Resolves when there is no time left. */
  readonly hurry: Promise<void>;
}

/** Both ways to stop a server, made of one that resolves when nothing is left: whichever is asked for first begins it, and `close` hurries it. */
export function stopsOf(drain: (limits: DrainLimits) => Promise<void>): Pick<ListeningServer, "drain" | "close"> {
  let cutShort = () => {};
  const hurry = new Promise<void>((resolve) => {
    cutShort = resolve;
  });
  let drained: Promise<void> | undefined;
  const drainOnce = (graceMs: number) => {
    drained ??= drain({ graceMs, streamGraceMs: Math.min(graceMs, mostStreamGraceMs), hurry });
    return drained;
  };
  return {
    drain: drainOnce,
    close: () => {
      cutShort();
      return drainOnce(0);
    },
  };
}

/** Waits for `done`, but not longer than `ms`. */
export async function within(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([done, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
