import { once } from "node:events";
import net from "node:net";

/**
 * A gRPC call made of bytes, for what a decent client never does: it opens a call, sends messages, answers no ping, and then resets its stream or breaks its
 * connection without a word.
 *
 * @param timeout The deadline, as gRPC writes it: `100m` is 100 ms.
 */
export async function rawHttp2Call(
  port: number,
  path: string,
  messages: Uint8Array[],
  timeout?: string,
): Promise<{ reset(): void; breakConnection(): void; closed: Promise<unknown> }> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.resume();
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frame(4, 0, 0, Buffer.alloc(0)));
  const headers = { ":path": path, ":authority": "test", "content-type": "application/grpc", te: "trailers", ...(timeout && { "grpc-timeout": timeout }) };
  const post = Buffer.from([0x83, 0x86]);
  socket.write(frame(1, 4, 1, Buffer.concat([post, ...Object.entries(headers).map(([name, value]) => header(name, value))])));
  for (const message of messages) {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    socket.write(frame(0, 0, 1, Buffer.concat([prefix, message])));
  }
  const cancel = Buffer.from([0, 0, 0, 8]);
  return {
    reset: () => {
      socket.write(frame(3, 0, 1, cancel));
      socket.end();
    },
    breakConnection: () => socket.resetAndDestroy(),
    closed: once(socket, "close"),
  };
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK's plainest form: a literal header with a literal name, not indexed. */
function header(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
}
