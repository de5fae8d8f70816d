import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ClientDuplexStream, credentials, Client as GrpcClient, Metadata, type StatusObject } from "@grpc/grpc-js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { MessageQueue } from "../grpc/message-queue.js";
import { errorOf } from "../status.js";

/** A message, or bytes in its place. */
type Sent<I extends DescMessage> = MessageInitShape<I> | Uint8Array;

/** A method's descriptor, with the types of its messages. */
type Method<I extends DescMessage, O extends DescMessage> = DescMethod & { input: I; output: O };

/** An open call as a test sees it. */
export interface TestCall<I extends DescMessage, O extends DescMessage> {
  send(message: Sent<I>): void;
  /** Ends the client's side. */
  end(): void;
  /** Goes away. */
  cancel(): void;
  /** Reads nothing until `resume`. */
  pause(): void;
  resume(): void;
  /** The next message; rejects with the call's error, and with OUT_OF_RANGE if the stream has ended well. */
  next(): Promise<MessageShape<O>>;
  /** Resolves when the server's headers are there. */
  readonly headers: Promise<Metadata>;
  /** How the call ended: undefined for OK. */
  readonly ended: Promise<ConnectError | undefined>;
}

/** A plain gRPC client for tests: one that can also send what no generated client would. */
export class GrpcTestClient {
  readonly #client: GrpcClient;

  constructor(port: number) {
    this.#client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_send_message_length": -1,
    });
  }

  /** Opens a call of any kind. */
  open<I extends DescMessage, O extends DescMessage>(method: Method<I, O>, options: { authorization?: string; timeoutMs?: number } = {}): TestCall<I, O> {
    const metadata = new Metadata();
    if (options.authorization) metadata.set("authorization", options.authorization);
    const call: ClientDuplexStream<Uint8Array, Buffer> = this.#client.makeBidiStreamRequest(
      `/${method.parent.typeName}/${method.name}`,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => bytes,
      metadata,
      options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs },
    );
    const messages = new MessageQueue<MessageShape<O>>();
    call.on("data", (bytes: Buffer) => messages.push(fromBinary(method.output, bytes)));
    call.on("error", () => {});
    const ended = new Promise<ConnectError | undefined>((resolve) => {
      call.on("status", (status: StatusObject) => {
        const error = errorOfStatus(status);
        messages.end(error);
        resolve(error);
      });
    });
    return {
      send: (message) => call.write(message instanceof Uint8Array ? message : toBinary(method.input, create(method.input, message))),
      end: () => call.end(),
      cancel: () => call.cancel(),
      pause: () => call.pause(),
      resume: () => call.resume(),
      next: async () => {
        const result = await messages.next();
        if (result.done) throw new ConnectError("the stream has ended", Code.OutOfRange);
        return result.value;
      },
      headers: new Promise((resolve) => call.once("metadata", resolve)),
      ended,
    };
  }

  /** Calls a unary method. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: Sent<I>,
    options: { authorization?: string; timeoutMs?: number } = {},
  ): Promise<MessageShape<O>> {
    const call = this.open(method, options);
    call.send(request);
    call.end();
    const response = await call.next();
    const error = await call.ended;
    if (error) throw error;
    return response;
  }

  close(): void {
    this.#client.close();
  }
}

function errorOfStatus(status: StatusObject): ConnectError | undefined {
  if (status.code === 0) return undefined;
  const details = status.metadata.get("grpc-status-details-bin")[0];
  return details ? errorOf(fromBinary(StatusSchema, details as Buffer)) : new ConnectError(status.details, status.code as number);
}
