import { create, type DescMessage, type DescMethod, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@runlane/sdk/gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "@runlane/sdk/gen/google/rpc/status_pb.js";
import { WorkerService } from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { onTestFinished } from "vitest";
import type { OnCleanUp } from "./test-server.js";

/** A refused call, as a client in any language sees it. */
export interface Refusal {
  /** Name of the gRPC code, for instance "NOT_FOUND". */
  code: string;
  message: string;
  /** Reason and domain of the ErrorInfo; undefined if there was none. */
  reason: string | undefined;
  domain: string | undefined;
  /** Delay of the RetryInfo in milliseconds; undefined if there was none. */
  retryDelayMs: number | undefined;
  /** Fields of the BadRequest. */
  fields: string[];
}

/** A message, or bytes that may be none. */
type Sent<Desc extends DescMessage> = MessageInitShape<Desc> | Uint8Array;

/**
 * A client that knows nothing but the contracts: gRPC with generated messages, without the SDK. It can send what the SDK never would.
 */
export class Stranger {
  readonly #client: Client;
  readonly #workerClient: Client;
  readonly #metadata = new Metadata();

  /** `secretKey` undefined sends no key at all. `workerAddress`, if it is another, is where executors listen. */
  constructor(address: string, secretKey: string | undefined, onCleanUp: OnCleanUp = onTestFinished, workerAddress = address) {
    this.#client = new Client(new URL(address).host, credentials.createInsecure());
    this.#workerClient = workerAddress === address ? this.#client : new Client(new URL(workerAddress).host, credentials.createInsecure());
    if (secretKey !== undefined) this.#metadata.set("authorization", `Bearer ${secretKey}`);
    onCleanUp(() => {
      this.#client.close();
      this.#workerClient.close();
    });
  }

  /** Makes a unary call. Rejects with a Refusal. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    request: Sent<I>,
    timeoutMs = 10_000,
  ): Promise<MessageShape<O>> {
    const options = { deadline: Date.now() + timeoutMs };
    return new Promise((resolve, reject) => {
      this.#of(method).makeUnaryRequest(path(method), encode(method.input), decode(method.output), request, this.#metadata, options, (error, response) => {
        if (error) reject(refusal(error));
        else resolve(response as MessageShape<O>);
      });
    });
  }

  /** Makes a call that must be refused, and returns the refusal. */
  async refused<I extends DescMessage, O extends DescMessage>(method: DescMethod & { input: I; output: O }, request: Sent<I>): Promise<Refusal> {
    const answer = await this.call(method, request).then(
      (response) => ({ response }),
      (error: Refusal) => error,
    );
    if ("response" in answer) throw new Error(`${method.name} was not refused`);
    return answer;
  }

  /** Opens a bidirectional stream. */
  stream<I extends DescMessage, O extends DescMessage>(method: DescMethod & { input: I; output: O }): StrangerStream<I, O> {
    return new StrangerStream(this.#of(method).makeBidiStreamRequest(path(method), encode(method.input), decode(method.output), this.#metadata));
  }

  /** Opens a server stream and returns everything that comes until its end. Rejects with a Refusal. */
  collect<I extends DescMessage, O extends DescMessage>(method: DescMethod & { input: I; output: O }, request: Sent<I>): Promise<MessageShape<O>[]> {
    return new Promise((resolve, reject) => {
      const received: MessageShape<O>[] = [];
      const call = this.#of(method).makeServerStreamRequest(path(method), encode(method.input), decode(method.output), request, this.#metadata);
      call.on("data", (message: MessageShape<O>) => received.push(message));
      call.on("error", (error: ServiceError) => reject(refusal(error)));
      call.on("end", () => resolve(received));
    });
  }

  #of(method: DescMethod): Client {
    return method.parent.typeName === WorkerService.typeName ? this.#workerClient : this.#client;
  }
}

/** A bidirectional stream of a stranger. */
export class StrangerStream<I extends DescMessage, O extends DescMessage> {
  readonly #call: ClientDuplexStream<Sent<I>, MessageShape<O>>;
  /** What came so far. */
  readonly received: MessageShape<O>[] = [];
  /** Resolves when the stream has ended: with the refusal, or undefined if it ended well. */
  readonly ended: Promise<Refusal | undefined>;

  constructor(call: ClientDuplexStream<Sent<I>, MessageShape<O>>) {
    this.#call = call;
    call.on("data", (message: MessageShape<O>) => this.received.push(message));
    this.ended = new Promise((resolve) => {
      call.on("error", (error: ServiceError) => resolve(refusal(error)));
      call.on("end", () => resolve(undefined));
    });
  }

  /** Sends a message, or bytes that may be none. */
  send(message: Sent<I>): void {
    this.#call.write(message);
  }

  /** Says that no more messages follow. */
  close(): void {
    this.#call.end();
  }

  /** Breaks the stream off. */
  cancel(): void {
    this.#call.cancel();
  }
}

function path(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encode<Desc extends DescMessage>(desc: Desc) {
  return (message: Sent<Desc>): Buffer => Buffer.from(message instanceof Uint8Array ? message : toBinary(desc, create(desc, message)));
}

function decode<Desc extends DescMessage>(desc: Desc) {
  return (bytes: Buffer): MessageShape<Desc> => fromBinary(desc, bytes);
}

function refusal(error: ServiceError): Refusal {
  const bytes = error.metadata?.get("grpc-status-details-bin")[0];
  const details = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes).details : [];
  return refusalOf({ code: error.code, message: error.details, details });
}

/** Reads the google.rpc details of an error, or of an item's outcome. */
export function refusalOf({ code, message, details }: Pick<Status, "code" | "message" | "details">): Refusal {
  const find = <Desc extends DescMessage>(desc: Desc): MessageShape<Desc> | undefined => {
    const any = details.find((detail) => detail.typeUrl.endsWith(`/${desc.typeName}`));
    return any && fromBinary(desc, any.value);
  };
  const info = find(ErrorInfoSchema);
  const retryDelay = find(RetryInfoSchema)?.retryDelay;
  return {
    code: status[code] ?? String(code),
    message,
    reason: info?.reason,
    domain: info?.domain,
    retryDelayMs: retryDelay && durationMs(retryDelay),
    fields: find(BadRequestSchema)?.fieldViolations.map((violation) => violation.field) ?? [],
  };
}
