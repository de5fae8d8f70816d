import { toBinary } from "@bufbuild/protobuf";
import { LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { EngineHarness } from "./engine-harness.js";

/** The batches of a harness as an owner writes them; the first has sequence 1. */
export function encodedLog(log: EngineHarness["log"]): Uint8Array[] {
  return log.map(({ now, epoch, events }, index) =>
    toBinary(LogRecordSchema, {
      $typeName: "runlane.internal.v1.LogRecord",
      record: { case: "batch", value: { $typeName: "runlane.internal.v1.Batch", epoch, number: BigInt(index + 1), nowMs: BigInt(now), events } },
    }),
  );
}
