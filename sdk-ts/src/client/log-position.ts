import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";

/** The greatest log position that a client has seen. Reads carry it, so that they see what the client wrote and read before. */
export class LogPosition {
  /** Empty before the first. */
  seen = "";

  /** Takes the position of an answer. Positions are of one length: the greater text is the later. */
  note(position: string): void {
    if (position > this.seen) this.seen = position;
  }
}

/** Gives unary requests the position, and takes that of their answers, wherever the contract has a field for it. */
export function createPositionTransport(transport: Transport, position: LogPosition): Transport {
  return {
    stream: (...call) => transport.stream(...call),
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const response = await transport.unary(method, signal, timeoutMs, header, withPosition(method.input, input, position.seen), contextValues);
      const { logPosition } = response.message as { logPosition?: string };
      if (logPosition) position.note(logPosition);
      return response;
    },
  };
}

function withPosition<I extends DescMessage>(schema: I, input: MessageInitShape<I>, seen: string): MessageInitShape<I> {
  if (seen === "" || !schema.field.logPosition || (input as { logPosition?: string }).logPosition) return input;
  return { ...input, logPosition: seen };
}
