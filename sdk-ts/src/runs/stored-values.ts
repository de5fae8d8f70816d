import type { Run } from "#gen/runlane/v1/run_pb.js";
import type { StoredPayloads } from "../client/stored-payloads.js";

/**
 * A run with the bytes of its payload and its output, also if the server keeps them apart.
 *
 * @throws ConnectError if they cannot be got.
 */
export async function withStoredValues(run: Run, payloads: StoredPayloads): Promise<Run> {
  if (!run.payload?.reference && !run.output?.reference) return run;
  const bytesOf = (payload: Run["payload"]) => (payload?.reference ? payloads.get(payload) : payload);
  const [payload, output] = await Promise.all([bytesOf(run.payload), bytesOf(run.output)]);
  return { ...run, payload, output };
}
