import { headers, type NatsConnection } from "@nats-io/transport-node";
import { ensureStream, keptStream } from "../nats/ensure-stream.js";
import {
  isPassing,
  isWantOfRoom,
  JetStreamAway,
  JetStreamRefusal,
  jetStreamErrors,
  jetStreamPublish,
  jetStreamRequest,
  type StoredMessage,
} from "../nats/jetstream-api.js";
import { streams, subjects } from "../nats/subjects.js";
import type { Owner } from "../transport/owner-directory.js";

/** What stands in the bucket for a partition: whose it is, and where its owner serves once it does. */
export interface ClaimRecord {
  /** Node that has claimed the partition. */
  readonly node: string;
  /** Random: tells one claim of a node from the next. */
  readonly lease: string;
  /** The owner; undefined while it is taking over. */
  readonly owner?: Owner;
}

/** A record, and the revision that it was written as; without a record, the claim was released. */
export interface StoredClaim {
  readonly revision: number;
  readonly record: ClaimRecord | undefined;
}

/** The store has no room for another record: nobody can write a claim. */
export class BucketFull extends Error {
  override readonly name = "BucketFull";
}

/**
 * Makes the KV bucket `RUNLANE_OWNERS`, one key a partition. What is stored is sent out again, so that everybody hears of it without a consumer of their own:
 * consumers live in a server's memory, and die with it.
 */
export async function ensureOwnerBucket(connection: NatsConnection, replicas: number): Promise<void> {
  const config = {
    ...keptStream,
    name: streams.owners,
    description: "Runlane: who owns which partition",
    subjects: [subjects.allClaims],
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    allow_rollup_hdrs: true,
    republish: { src: subjects.allClaims, dest: subjects.allOwners },
  };
  // Whoever claims asks again by itself.
  await ensureStream(connection, config, 0);
}

/** Reads a partition's claim from the bucket's leader; undefined if there has never been one. */
export async function readClaim(connection: NatsConnection, partition: number): Promise<StoredClaim | undefined> {
  try {
    const body = { last_by_subj: subjects.claim(partition) };
    const { message } = await jetStreamRequest<StoredMessage>(connection, `STREAM.MSG.GET.${streams.owners}`, body);
    return { revision: message.seq, record: decodeClaim(Buffer.from(message.data ?? "", "base64")) };
  } catch (error) {
    if (error instanceof JetStreamRefusal && error.code === jetStreamErrors.noMessage) return undefined;
    throw error;
  }
}

/** Reads a partition's claim from whichever server answers first: needs no right to change anything, and may lag. */
export async function readClaimAnywhere(connection: NatsConnection, partition: number): Promise<StoredClaim | undefined> {
  const subject = `$JS.API.DIRECT.GET.${streams.owners}.${subjects.claim(partition)}`;
  try {
    const answer = await connection.request(subject, "", { timeout: 2_000 });
    const revision = Number(answer.headers?.get("Nats-Sequence"));
    return revision > 0 ? { revision, record: decodeClaim(answer.data) } : undefined;
  } catch (error) {
    throw new JetStreamAway(`${subject}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/**
 * Writes a partition's claim, or releases it (`undefined`), if its revision is still `expected` (0: never written). Returns the new revision; undefined if
 * somebody else has written meanwhile, or an earlier attempt of this writer.
 *
 * @throws JetStreamAway if there was no answer: it may have been written; BucketFull if the store has no room: it was not.
 */
export async function writeClaim(
  connection: NatsConnection,
  partition: number,
  record: ClaimRecord | undefined,
  expected: number,
): Promise<number | undefined> {
  const meta = headers();
  meta.set("Nats-Expected-Last-Subject-Sequence", String(expected));
  if (!record) meta.set("KV-Operation", "DEL");
  try {
    return (await jetStreamPublish(connection, subjects.claim(partition), record ? encodeClaim(record) : "", meta)).seq;
  } catch (error) {
    if (error instanceof JetStreamRefusal && error.code === jetStreamErrors.wrongLastSequence) return undefined;
    if (error instanceof JetStreamRefusal && isWantOfRoom(error.code)) throw new BucketFull(error.message, { cause: error });
    // 10164: an earlier attempt is not decided yet. Its passing is as good as an answer that never came.
    if (isPassing(error) || (error instanceof JetStreamRefusal && error.code === jetStreamErrors.lastSequenceUndecided)) {
      throw new JetStreamAway((error as Error).message, { cause: error });
    }
    throw error;
  }
}

/** Reads a record as it stands in the bucket; undefined for a released claim. */
export function decodeClaim(data: Uint8Array): ClaimRecord | undefined {
  if (data.length === 0) return undefined;
  const { node, lease, epoch, address } = JSON.parse(new TextDecoder().decode(data)) as { node: string; lease: string; epoch?: string; address?: string };
  return { node, lease, owner: epoch !== undefined && address !== undefined ? { epoch: BigInt(epoch), address } : undefined };
}

function encodeClaim({ node, lease, owner }: ClaimRecord): string {
  return JSON.stringify({ node, lease, epoch: owner?.epoch.toString(), address: owner?.address });
}
