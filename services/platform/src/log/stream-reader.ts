import type { Msg } from "@nats-io/transport-node";
import type { NatsLink } from "../nats/connection.js";
import { JetStreamAway, type StreamInfo } from "../nats/jetstream-api.js";
import { LogDamaged, type LogEntry } from "./log.js";

/** What reading a stream needs from its log. */
export interface StreamSource {
  readonly link: NatsLink;
  /** Name of the stream. */
  readonly stream: string;
  /** Aborted, with the error to throw, when the log is closed. */
  readonly closed: AbortSignal;
  /** First and last sequence, from the stream's leader. */
  state(): Promise<StreamInfo["state"]>;
  /** One record, from the stream's leader. */
  at(sequence: number): Promise<Uint8Array | undefined>;
  /** Runs `task` again until it does not fail for a reason that passes. */
  persist<T>(task: () => Promise<T>): Promise<T>;
}

const batchRecords = 1_000;
const batchBytes = 4 * 1024 * 1024;
const batchLimitMs = 5_000;

/** Messages that stand one after the other in the stream. */
interface Batch {
  readonly messages: readonly Msg[];
  /** Sequence of the last message. */
  readonly end: number;
}

/**
 * Reads a stream from a sequence to the one that is last when the reading begins.
 *
 * Direct gets in batches: no consumer to create and to lose. They may be answered by a replica that lags behind the leader, so their silence proves nothing:
 * where the end is, and what is missing, only the leader says. While one batch is being used the next is on its way.
 */
export async function* readStream(source: StreamSource, from: number): AsyncGenerator<LogEntry> {
  const { first_seq: first, last_seq: last } = await source.state();
  let next = Math.max(from, first, 1);
  const left = new AbortController();
  const signal = AbortSignal.any([source.closed, left.signal]);
  const fetch = (sequence: number) => {
    const batch = source.persist(() => fetchBatch(source, sequence, Math.min(batchRecords, last - sequence + 1), signal));
    batch.catch(() => {}); // Nobody waits for the one that is on its way when the reader leaves.
    return batch;
  };
  try {
    let coming = next <= last ? fetch(next) : undefined;
    while (coming) {
      const { messages, end }: Batch = await coming;
      const start = next;
      const whole = end === start + messages.length - 1;
      const usable = whole ? messages.length : contiguous(messages, start);
      next = usable > 0 ? start + usable : await explainGap(source, start);
      coming = next <= last ? fetch(next) : undefined;
      for (let index = 0; index < usable; index++) {
        source.closed.throwIfAborted();
        yield { sequence: start + index, record: (messages[index] as Msg).data };
      }
    }
  } finally {
    left.abort();
  }
}

/** Asks for up to `count` messages from `sequence` on. No message at all if there is none, as far as the replica that answers knows. */
function fetchBatch(source: StreamSource, sequence: number, count: number, signal: AbortSignal): Promise<Batch> {
  return new Promise((resolve, reject) => {
    const { link, stream } = source;
    if (signal.aborted) return reject(signal.reason);
    if (!link.up) return reject(new JetStreamAway("the connection is down"));
    const messages: Msg[] = [];
    const inbox = link.inbox();
    const subscription = link.connection.subscribe(inbox, {
      callback: (_, message) => {
        // Records have at least one byte; only a status has none. Headers are costly to decode, so those of records are left alone.
        if (message.data.length > 0) return void messages.push(message);
        const status = message.headers?.code ?? 0;
        if (status === 204) finish({ messages, end: Number(message.headers?.get("Nats-Last-Sequence")) });
        else if (status === 404) finish({ messages: [], end: sequence - 1 });
        else if (status === 503) fail(new JetStreamAway(`${stream} does not answer`));
        else fail(new Error(`reading ${stream} from ${sequence}: ${status} ${message.headers?.description ?? ""}`));
      },
    });
    const timer = setTimeout(() => fail(new JetStreamAway(`no answer within ${batchLimitMs} ms`)), batchLimitMs);
    const unwatch = link.watch(() => fail(new JetStreamAway("the connection was lost")));
    const abort = () => fail(signal.reason);
    signal.addEventListener("abort", abort);
    const done = () => {
      clearTimeout(timer);
      unwatch();
      signal.removeEventListener("abort", abort);
      subscription.unsubscribe();
    };
    const finish = (batch: Batch) => {
      done();
      resolve(batch);
    };
    const fail = (error: unknown) => {
      done();
      reject(error);
    };
    link.connection.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify({ seq: sequence, batch: count, max_bytes: batchBytes }), { reply: inbox });
  });
}

/** How many messages stand one after the other from sequence `start` on. */
function contiguous(messages: readonly Msg[], start: number): number {
  const gap = messages.findIndex((message, index) => Number(message.headers?.get("Nats-Sequence")) !== start + index);
  return gap < 0 ? messages.length : gap;
}

/** No message with this sequence came. Says where to go on: behind what was purged meanwhile, or here again if a replica lagged. */
async function explainGap(source: StreamSource, missing: number): Promise<number> {
  if ((await source.at(missing)) !== undefined) return missing;
  const { first_seq: first } = await source.state();
  if (first > missing) return first;
  throw new LogDamaged(`record ${missing} of ${source.stream} is missing, and was not purged`);
}
