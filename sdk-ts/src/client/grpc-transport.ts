import type { EventEmitter } from "node:events";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse, type Transport, type UnaryResponse } from "@connectrpc/connect";
import type { CallOptions, ClientReadableStream, ClientWritableStream, Metadata, ServiceError, StatusObject } from "@grpc/grpc-js";
import { type GrpcConnection, type HeaderInit, loadGrpc, methodPath } from "./grpc-connection.js";
import { errorOfGrpcStatus, headersOf } from "./grpc-error.js";

/**
 * Speaks gRPC by @grpc/grpc-js behind Connect's `Transport`, so that one generated client serves Node and browsers: `createClient(RunService, transport)`.
 *
 * `connection` is asked anew for each call. Errors are ConnectErrors with the google.rpc details of the server. A time-out becomes the call's deadline; an aborted signal
 * cancels the call, which then fails with CANCELED. Headers of a streaming response are filled in when they arrive, so that a stream can be opened before the
 * server has anything to say. Nothing is retried here.
 */
export function createGrpcTransport(connection: () => GrpcConnection): Transport {
  return {
    async unary(method, signal, timeoutMs, header, input) {
      await loadGrpc();
      return callUnary(connection(), method, signal, timeoutMs, header, input);
    },
    async stream(method, signal, timeoutMs, header, input) {
      await loadGrpc();
      return openStream(connection(), method, signal, timeoutMs, header, input);
    },
  };
}

function callUnary<I extends DescMessage, O extends DescMessage>(
  connection: GrpcConnection,
  method: DescMethodUnary<I, O>,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  header: HeaderInit,
  input: MessageInitShape<I>,
): Promise<UnaryResponse<I, O>> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(canceled(signal));
    let responseHeader = new Headers();
    let message: MessageShape<O> | undefined;
    let failure: ServiceError | undefined;
    const call = connection.client.makeUnaryRequest(
      methodPath(method),
      (request: MessageShape<I>) => encode(method.input, request),
      (bytes) => fromBinary(method.output, bytes),
      create(method.input, input),
      connection.metadata(header),
      callOptions(timeoutMs),
      (error, response) => {
        failure = error ?? undefined;
        message = response;
      },
    );
    const release = cancelOnAbort(call, signal);
    call.on("metadata", (metadata: Metadata) => {
      responseHeader = headersOf(metadata);
    });
    // The last event of a call; the callback has run by then.
    call.on("status", (status: StatusObject) => {
      release();
      if (failure !== undefined || message === undefined) {
        reject(signal?.aborted ? canceled(signal) : errorOfGrpcStatus(failure ?? status));
        return;
      }
      const response = { stream: false as const, service: method.parent, method, header: responseHeader, trailer: headersOf(status.metadata), message };
      resolve(response);
    });
  });
}

function openStream<I extends DescMessage, O extends DescMessage>(
  connection: GrpcConnection,
  method: DescMethodStreaming<I, O>,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  header: HeaderInit,
  input: AsyncIterable<MessageInitShape<I>>,
): StreamResponse<I, O> {
  if (signal?.aborted) throw canceled(signal);
  const call = connection.client.makeBidiStreamRequest(
    methodPath(method),
    (request: MessageShape<I>) => encode(method.input, request),
    (bytes) => fromBinary(method.output, bytes),
    connection.metadata(header),
    callOptions(timeoutMs),
  );
  const release = cancelOnAbort(call, signal);
  const responseHeader = new Headers();
  const trailer = new Headers();
  const end: { status?: StatusObject; inputError?: unknown } = {};
  call.on("metadata", (metadata: Metadata) => copyHeaders(metadata, responseHeader));
  // Without a listener, an "error" event ends the process. It says nothing that "status" does not say.
  call.on("error", () => {});
  call.on("status", (status: StatusObject) => {
    release();
    end.status = status;
    copyHeaders(status.metadata, trailer);
  });
  sendAll(call, method, input).catch((error: unknown) => {
    end.inputError = error;
    call.cancel();
  });
  return { stream: true, service: method.parent, method, header: responseHeader, trailer, message: receiveAll(call, end, signal) };
}

async function sendAll<I extends DescMessage>(
  call: ClientWritableStream<MessageShape<I>>,
  method: DescMethod & { input: I },
  input: AsyncIterable<MessageInitShape<I>>,
) {
  for await (const message of input) {
    if (call.destroyed) return;
    if (!call.write(create(method.input, message))) await writable(call);
  }
  call.end();
}

/** Resolves when the stream takes more, or is over. */
function writable(call: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off("drain", done);
      call.off("status", done);
      resolve();
    };
    call.on("drain", done);
    call.on("status", done);
  });
}

async function* receiveAll<O>(call: ClientReadableStream<O>, end: { status?: StatusObject; inputError?: unknown }, signal: AbortSignal | undefined) {
  try {
    for await (const message of call) yield message as O;
  } catch (error) {
    // The stream's own error is the status once more; anything else is told below as its cause.
    end.inputError ??= end.status ? undefined : error;
  } finally {
    call.cancel();
  }
  if (signal?.aborted) throw canceled(signal);
  if (end.inputError !== undefined) throw ConnectError.from(end.inputError);
  if (end.status && end.status.code !== 0) throw errorOfGrpcStatus(end.status);
}

function callOptions(timeoutMs: number | undefined): CallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function cancelOnAbort(call: { cancel(): void }, signal: AbortSignal | undefined): () => void {
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  return () => signal?.removeEventListener("abort", cancel);
}

function canceled(signal: AbortSignal): ConnectError {
  return new ConnectError("the call was aborted", Code.Canceled, undefined, undefined, signal.reason);
}

function copyHeaders(from: Metadata, to: Headers): void {
  for (const [key, value] of headersOf(from)) to.append(key, value);
}

function encode<T extends DescMessage>(schema: T, message: MessageShape<T>): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
