import type { Transport } from "@connectrpc/connect";
import type { MemoryServer } from "@runlane/platform";
import { type ConnectionSource, type GrpcConnection, methodPath, parseServerAddress } from "@runlane/sdk/testing-seams";
import type { Activity } from "./activity.js";

const address = parseServerAddress("http://in-process");

/** Connections to a server in this process, for the parts of the SDK that speak in frames. What passes is noted. */
export function memoryConnections(server: MemoryServer, activity: Activity): ConnectionSource {
  const connection: GrpcConnection = {
    address,
    secretKey: undefined,
    get client(): never {
      return noGrpc();
    },
    metadata: noGrpc,
    isReady: () => true,
    close() {},
    openStream(method, listener) {
      activity.note();
      const stream = server.openStream(methodPath(method), {
        onFrame(frame) {
          activity.note();
          listener.onFrame(frame);
        },
        onClose: (error) => listener.onClose(error),
      });
      return {
        send(frame) {
          activity.note();
          return stream.send(frame);
        },
        end: () => stream.end(),
        cancel: () => stream.cancel(),
      };
    },
  };
  return { current: () => connection, renew: () => false, close() {} };
}

/** The transport, with what is under way noted. */
export function notedTransport({ unary, stream }: Transport, activity: Activity): Transport {
  return {
    unary: (...call) => activity.during(unary(...call)),
    stream: (...call) => activity.during(stream(...call)),
  };
}

function noGrpc(): never {
  throw new Error("there is no gRPC in a test platform");
}
