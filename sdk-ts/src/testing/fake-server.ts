import type { AddressInfo, Socket } from "node:net";
import { connect as connectSocket, createServer } from "node:net";
import { create, type DescMethod, type DescService, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Code, ConnectError } from "@connectrpc/connect";
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition } from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.js";

/** A call as the fake sees it: every kind of method is a stream of decoded messages. */
export interface FakeCall<I, O> {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  send(message: O): void;
  /** Sends the one message of a unary call. */
  answer(message: O): void;
  end(status?: Status, trailer?: Record<string, string>): void;
  onMessage(listener: (message: I, bytes: Uint8Array) => void): void;
  onEnd(listener: () => void): void;
  onCancel(listener: () => void): void;
}

/** Answers to the methods of a service; a method without one is UNIMPLEMENTED. */
export type FakeService<S extends DescService> = {
  [K in keyof S["method"]]?: (call: FakeCall<MessageShape<S["method"][K]["input"]>, MessageInitShape<S["method"][K]["output"]>>) => void;
};

/** A gRPC server of this process, with handlers for each test, on a port of its own. */
export interface FakeServer {
  readonly port: number;
  readonly address: string;
  /** Calls that have not ended. */
  readonly openCalls: number;
  /** Cuts every connection, as a crash would. */
  cut(): void;
  /** Ends at once; the port is free afterwards. */
  stop(): Promise<void>;
}

/** Serves `services`: pairs of a generated service and its handlers. */
export async function startFakeServer(services: [DescService, object][], { port = 0 } = {}): Promise<FakeServer> {
  const server = new Server({ "grpc.max_receive_message_length": 4 * 1024 * 1024 });
  let openCalls = 0;
  for (const [service, handlers] of services) {
    const definition: Record<string, ServiceDefinition[string]> = {};
    const implementation: Record<string, (call: ServerDuplexStream<Uint8Array, Uint8Array>) => void> = {};
    for (const [localName, method] of Object.entries(service.method) as [string, DescMethod][]) {
      const handler = (handlers as Record<string, (call: FakeCall<unknown, unknown>) => void>)[localName];
      if (!handler) continue;
      const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes);
      definition[localName] = {
        path: `/${service.typeName}/${method.name}`,
        requestStream: true,
        responseStream: true,
        requestSerialize: asBuffer,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: asBuffer,
        responseDeserialize: (bytes: Buffer) => bytes,
      };
      implementation[localName] = (call) => {
        openCalls += 1;
        call.on("close", () => {
          openCalls -= 1;
        });
        call.on("error", () => {});
        handler(fakeCall(call, method));
      };
    }
    if (Object.keys(definition).length === 0) continue;
    server.addService(definition, implementation as never);
  }
  const hidden = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  // The clients speak to a plain relay before the server: connections can then be cut without a word of HTTP/2, which no server would do by itself.
  const sockets = new Set<Socket>();
  const relay = createServer((inward) => {
    const outward = connectSocket(hidden, "127.0.0.1");
    for (const socket of [inward, outward]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        inward.destroy();
        outward.destroy();
      });
    }
    inward.pipe(outward).pipe(inward);
  });
  await new Promise<void>((resolve, reject) => relay.once("error", reject).listen(port, "127.0.0.1", resolve));
  const bound = (relay.address() as AddressInfo).port;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: bound,
    address: `http://127.0.0.1:${bound}`,
    get openCalls() {
      return openCalls;
    },
    cut,
    async stop() {
      server.forceShutdown();
      cut();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}

function fakeCall<M extends DescMethod>(
  call: ServerDuplexStream<Uint8Array, Uint8Array>,
  method: M,
): FakeCall<MessageShape<M["input"]>, MessageInitShape<M["output"]>> {
  return {
    metadata: call.metadata,
    get cancelled() {
      return call.cancelled;
    },
    send: (message) => call.write(toBinary(method.output, create(method.output, message))),
    answer(message) {
      this.send(message);
      this.end();
    },
    end(status, trailer = {}) {
      const metadata = new Metadata();
      for (const [key, value] of Object.entries(trailer)) metadata.set(key, value);
      if (!status) return call.end(metadata);
      metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
      call.emit("error", { code: status.code, details: status.message, metadata });
    },
    onMessage: (listener) => call.on("data", (bytes: Uint8Array) => listener(fromBinary(method.input, bytes) as never, bytes)),
    onEnd: (listener) => call.on("end", listener),
    onCancel: (listener) => call.on("cancelled", listener),
  };
}

/** A google.rpc.Status as a Runlane server makes them. */
export function refusalStatus(code: Code, message: string, reason: string, retryDelayMs?: number): Status {
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: "runlane.dev" }))];
  if (retryDelayMs !== undefined) details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) })));
  return create(StatusSchema, { code, message, details });
}

/** What a promise that must fail failed with. */
export async function failureOf<E = ConnectError>(promise: PromiseLike<unknown>): Promise<E> {
  try {
    await promise;
  } catch (error) {
    return error as E;
  }
  throw new Error("should have failed");
}
