import type { ServiceImpl } from "@connectrpc/connect";
import { OwnerService } from "#gen/runlane/internal/v1/owner_service_pb.js";
import type { MemoryOwnership } from "../ownership/memory-ownership.js";
import type { PartitionClaim } from "../ownership/partition-claim.js";
import type { InternalTransport, Served } from "../transport/internal-transport.js";

/** The place of an owner, for the doubles of tests: what they make of OwnerService is served as partition 0's, and the directory names it. */
export abstract class ServedOwner {
  protected readonly transport: InternalTransport;
  readonly #ownership: MemoryOwnership;
  #epoch = 0n;
  #claim: PartitionClaim | undefined;
  #served: Served | undefined;

  constructor(transport: InternalTransport, ownership: MemoryOwnership) {
    this.transport = transport;
    this.#ownership = ownership;
  }

  /** What is served, or was served last. */
  get epoch(): bigint {
    return this.#epoch;
  }

  /** Serves a new epoch instead of the one before. */
  async takeOver(epoch: bigint): Promise<void> {
    await this.vanish();
    this.#epoch = epoch;
    const address = `owner.0.${epoch}`;
    // Elsewhere services are whole, so the transport asks for that. Here a method that is missing is UNIMPLEMENTED.
    this.#served = await this.transport.serve(address, OwnerService, this.begin() as ServiceImpl<typeof OwnerService>);
    this.#claim ??= await this.#ownership.claim(0, "test");
    await this.#claim.publish({ epoch, address });
  }

  /** Stops serving. The directory goes on naming it. */
  async vanish(): Promise<void> {
    await this.#served?.close();
  }

  /** Stops serving, and leaves the directory. */
  async resign(): Promise<void> {
    await this.vanish();
    await this.#claim?.release();
    this.#claim = undefined;
  }

  /** What an epoch serves; forgets what the one before knew. */
  protected abstract begin(): Partial<ServiceImpl<typeof OwnerService>>;
}
