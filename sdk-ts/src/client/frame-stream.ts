import type { DescMethodBiDiStreaming } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import { type GrpcConnection, loadGrpc, methodPath } from "./grpc-connection.js";
import { errorOfGrpcStatus } from "./grpc-error.js";

/** Messages that wait to be written before the sender is told. As Node's streams have it. */
const mostWaiting = 16;

/**
 * A bidirectional call whose messages stay bytes.
 *
 * The streams that carry every run use this form instead of Connect's async iterables: a message costs no promise, and a frame that must be sent again after a broken
 * stream is sent again as it was.
 */
export interface FrameStream {
  /** Sends an encoded message, in order. False when 16 or more wait to be written; they are kept in memory. What is sent after the end is dropped. */
  send(frame: Uint8Array): boolean;
  /** Says that nothing more will be sent; the server may go on. */
  end(): void;
  /** Ends the call at once, with CANCELED. */
  cancel(): void;
}

/** What the user of a {@link FrameStream} wants to hear. All callbacks run synchronously. */
export interface FrameListener {
  /** A message has arrived. What this throws ends the call with INTERNAL. */
  onFrame(frame: Uint8Array): void;
  /** The call is over; called exactly once, last. Without an error if its status is OK. */
  onClose(error: ConnectError | undefined): void;
}

/** Starts a call of a bidirectional method. Failures, of connecting too, come as `onClose`, never before this returns. */
export function openFrameStream(connection: GrpcConnection, method: DescMethodBiDiStreaming, listener: FrameListener): FrameStream {
  if (connection.openStream) return connection.openStream(method, listener);
  let state: "open" | "ended" | "canceled" | "closed" = "open";
  let call: ClientDuplexStream<Uint8Array, Uint8Array> | undefined;
  /** What is sent before there is a call. */
  const early: Uint8Array[] = [];
  const close = (error: ConnectError | undefined) => {
    if (state === "closed") return;
    state = "closed";
    listener.onClose(error);
  };
  const start = () => {
    if (state === "canceled") return close(new ConnectError("the call was cancelled before it began", Code.Canceled));
    call = startCall(connection, method, listener, { isClosed: () => state === "closed", close });
    for (const frame of early) call.write(frame);
    if (state === "ended") call.end();
  };
  const loading = loadGrpc();
  if (loading === undefined) start();
  else loading.then(start, (error: unknown) => close(ConnectError.from(error, Code.Internal)));
  return {
    send(frame) {
      if (state !== "open") return false;
      if (call) return call.write(frame);
      return early.push(frame) < mostWaiting;
    },
    end() {
      if (state !== "open") return;
      state = "ended";
      call?.end();
    },
    cancel() {
      if (call) call.cancel();
      else if (state !== "closed") state = "canceled";
    },
  };
}

function startCall(
  connection: GrpcConnection,
  method: DescMethodBiDiStreaming,
  listener: FrameListener,
  { isClosed, close }: { isClosed: () => boolean; close: (error: ConnectError | undefined) => void },
): ClientDuplexStream<Uint8Array, Uint8Array> {
  const call = connection.client.makeBidiStreamRequest<Uint8Array, Uint8Array>(methodPath(method), asBuffer, asIs, connection.metadata());
  call.on("data", (frame: Uint8Array) => {
    if (isClosed()) return;
    try {
      listener.onFrame(frame);
    } catch (error) {
      call.cancel();
      close(new ConnectError("a frame of the server could not be handled", Code.Internal, undefined, undefined, error));
    }
  });
  // Without a listener, an "error" event ends the process. It says nothing that "status" does not say.
  call.on("error", () => {});
  call.on("status", (status: StatusObject) => {
    const over = () => close(status.code === 0 ? undefined : errorOfGrpcStatus(status));
    // The status is told at once, even if messages that came before it still wait in the stream.
    if (call.readableLength === 0) over();
    else call.once("end", over);
  });
  return call;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asIs(bytes: Buffer): Uint8Array {
  return bytes;
}
