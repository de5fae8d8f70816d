import { logger, metadata, tags, task } from "@trigger.dev/sdk";

export const importRows = task({
  id: "import-rows",
  run: async (payload: { tenant: string; rows: string[] }) => {
    await tags.add([`tenant_${payload.tenant}`, "import"]);
    metadata.set("status", "importing").set("total", payload.rows.length);
    for (const row of payload.rows) {
      await logger.trace("import-row", async (span) => {
        span.setAttribute("row", row);
        metadata.increment("done", 1).append("rows", row);
      });
    }
    metadata.set("status", "done").del("total");
    await metadata.flush();
    return metadata.current();
  },
});
