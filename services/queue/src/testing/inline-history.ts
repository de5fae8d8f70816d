import type { Log } from "@runlane/platform";
import type { History } from "../history/history.js";
import { Projection } from "../history/projection.js";
import { silentLogger } from "./logger.js";

/** History without a thread of its own, in memory: for logs that are in memory too. */
export function inlineHistory(log: Log): History {
  const opened = Projection.open({ file: ":memory:", log, logger: silentLogger });
  let projection: Projection | undefined;
  let tail = 0;
  void opened.then((open) => {
    projection = open;
  });
  return {
    begin(epoch) {
      tail = Math.max(tail, epoch);
      void opened.then((open) => open.begin(epoch));
    },
    feed(sequence, record) {
      tail = sequence;
      if (projection) projection.take(sequence, record);
      else void opened.then((open) => open.know(sequence));
    },
    get tail() {
      return tail;
    },
    find: async (request) => await (await opened).find(request),
    awaitChanges: async (request) => await (await opened).awaitChanges(request),
    read: async (environment, runId, sequence) => await (await opened).read(environment, runId, sequence),
    secure: async () => (await opened).secure(),
    close: async () => (await opened).close(),
  };
}
