import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Status } from "#gen/google/rpc/status_pb.js";
import type { GetPayloadRequest, GetPayloadResponseSchema, PutPayloadRequest, PutPayloadResponseSchema } from "#gen/runlane/v1/payload_service_pb.js";
import { type FakeCall, refusalStatus } from "./fake-server.js";

type PutCall = FakeCall<PutPayloadRequest, MessageInitShape<typeof PutPayloadResponseSchema>>;
type GetCall = FakeCall<GetPayloadRequest, MessageInitShape<typeof GetPayloadResponseSchema>>;

/** A PayloadService that keeps everything in memory. */
export class FakePayloadService {
  /** What was put, by reference. */
  readonly stored = new Map<string, Buffer>();
  /** Sizes of the chunks that came. */
  readonly chunks: number[] = [];
  /** Calls that have come. */
  puts = 0;
  gets = 0;
  /** Puts that are under way, and the most that ever were. */
  underWay = 0;
  mostUnderWay = 0;
  /** Asked at each call; what it returns is the call's end. */
  refuse: (call: "put" | "get") => Status | undefined = () => undefined;

  /** Handlers for a fake server. */
  get handlers() {
    return { putPayload: (call: PutCall) => this.#put(call), getPayload: (call: GetCall) => this.#get(call) };
  }

  /** Stores a value as JSON; its reference. */
  store(value: unknown): string {
    const reference = `pay_${this.stored.size + 1}`;
    this.stored.set(reference, Buffer.from(JSON.stringify(value)));
    return reference;
  }

  /** The value that a reference names. */
  value(reference: string | undefined): unknown {
    const bytes = this.stored.get(reference ?? "");
    return bytes && JSON.parse(bytes.toString());
  }

  #put(call: PutCall): void {
    this.puts += 1;
    const refused = this.refuse("put");
    if (refused) return call.end(refused);
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    const parts: Uint8Array[] = [];
    call.onMessage(({ chunk }) => {
      this.chunks.push(chunk.length);
      parts.push(Uint8Array.from(chunk));
    });
    call.onEnd(() => {
      this.underWay -= 1;
      const reference = `pay_${this.stored.size + 1}`;
      const bytes = Buffer.concat(parts);
      this.stored.set(reference, bytes);
      call.send({ reference, sizeBytes: BigInt(bytes.length) });
      call.end();
    });
  }

  #get(call: GetCall): void {
    this.gets += 1;
    call.onMessage(({ reference }) => {
      const refused = this.refuse("get");
      if (refused) return call.end(refused);
      const bytes = this.stored.get(reference);
      if (!bytes) return call.end(refusalStatus(Code.NotFound, `there is no payload ${reference}`, "PAYLOAD_NOT_FOUND"));
      for (let from = 0; from < bytes.length; from += 256 * 1024) call.send({ chunk: bytes.subarray(from, from + 256 * 1024) });
      call.end();
    });
  }
}
