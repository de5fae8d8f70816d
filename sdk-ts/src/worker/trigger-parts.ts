import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.js";
import type { RunResult, TriggerItem, TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import { maxPayloadBytes } from "../payload.js";
import { triggerItemLength } from "./outbound.js";

/** Code RESOURCE_EXHAUSTED of gRPC. */
const resourceExhausted = 8;

/** Items of a command. */
const maxItems = 500;
/** Bytes of a command's items. A frame has at most 512 KiB; the rest is for what stands around them. */
const maxItemsLength = 384 * 1_024;

/** What one trigger came to. */
export interface Answer {
  outcome: TriggerOutcome;
  result: RunResult | undefined;
}

/**
 * Splits items into as many commands as their number and size ask for, and puts the answers together again. An item that no frame may carry is answered here.
 */
export async function inCommands(items: TriggerItem[], ask: (part: TriggerItem[]) => Promise<Answer[]>): Promise<Answer[]> {
  const answers: Answer[] = new Array(items.length);
  const parts: number[][] = [];
  let part: number[] = [];
  let length = 0;
  for (const [index, item] of items.entries()) {
    const itemLength = triggerItemLength(item);
    if (itemLength > maxItemsLength || (item.payload?.data.length ?? 0) > maxPayloadBytes) {
      answers[index] = { outcome: failed(tooLarge(item)), result: undefined };
      continue;
    }
    if (part.length === maxItems || (part.length > 0 && length + itemLength > maxItemsLength)) {
      parts.push(part);
      part = [];
      length = 0;
    }
    part.push(index);
    length += itemLength;
  }
  if (part.length > 0) parts.push(part);
  await Promise.all(
    parts.map(async (indexes) => {
      const answered = await ask(indexes.map((index) => items[index]!));
      for (const [at, index] of indexes.entries()) answers[index] = answered[at]!;
    }),
  );
  return answers;
}

/** What a trigger came to that was refused. */
export function failed(error: Status): TriggerOutcome {
  return { $typeName: "runlane.v1.TriggerOutcome", outcome: { case: "error", value: error }, cached: false };
}

function tooLarge(item: TriggerItem): Status {
  const info = create(ErrorInfoSchema, { reason: "PAYLOAD_TOO_LARGE", domain: "runlane.dev", metadata: { limit: String(maxPayloadBytes) } });
  const message = `the payload for task "${item.taskId}" has ${item.payload?.data.length} bytes, and at most ${maxPayloadBytes} are allowed`;
  return create(StatusSchema, { code: resourceExhausted, message, details: [anyPack(ErrorInfoSchema, info)] });
}
