/** A call on its way to the server of an address. */
export interface CallFrame {
  /** `package.Service/Method`. */
  readonly method: string;
  /** How long the caller waits for the answer, in milliseconds from the moment the call arrives; 0 if it does not wait. */
  readonly timeoutMs: number;
  /** The encoded request. */
  readonly message: Uint8Array;
}

/** The answer to a call. */
export interface ReplyFrame {
  readonly failed: boolean;
  /** The encoded response; or, if the call failed, an encoded google.rpc.Status. */
  readonly message: Uint8Array;
}

/** Bytes that a frame has beside its message, at most. */
export const frameOverhead = 262;

// A call is: layout number (1), time-out (4), length of the method's name (1), name, message. A reply is: 0 or 1 (1), message.
const callLayout = 1;
const callHead = 6;

/** A call as bytes. */
export function encodeCall(call: CallFrame): Uint8Array {
  const bytes = Buffer.allocUnsafe(callHead + call.method.length + call.message.length);
  bytes[0] = callLayout;
  bytes.writeUInt32BE(Math.min(call.timeoutMs, 0xffff_ffff), 1);
  bytes[5] = call.method.length;
  bytes.write(call.method, callHead, "latin1");
  bytes.set(call.message, callHead + call.method.length);
  return bytes;
}

/** The call in some bytes; undefined if there is none. Its message is a view of them. */
export function decodeCall(bytes: Uint8Array): CallFrame | undefined {
  const nameLength = bytes[5];
  if (bytes[0] !== callLayout || nameLength === undefined || bytes.length < callHead + nameLength) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = callHead + nameLength;
  return { method: buffer.toString("latin1", callHead, end), timeoutMs: buffer.readUInt32BE(1), message: bytes.subarray(end) };
}

/** A reply as bytes; never empty. */
export function encodeReply(reply: ReplyFrame): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + reply.message.length);
  bytes[0] = reply.failed ? 1 : 0;
  bytes.set(reply.message, 1);
  return bytes;
}

/** The reply in some bytes; undefined if there is none. Its message is a view of them. */
export function decodeReply(bytes: Uint8Array): ReplyFrame | undefined {
  const failed = bytes[0];
  return failed === 0 || failed === 1 ? { failed: failed === 1, message: bytes.subarray(1) } : undefined;
}
