import { task } from "@trigger.dev/sdk";
import { database } from "./database";

export const countUsers = task({
  id: "count-users",
  middleware: async ({ next }) => {
    database().queries.push("begin");
    await next();
    database().queries.push("commit");
  },
  run: async () => {
    database().queries.push("select count(*)");
    return { queries: [...database().queries] };
  },
});
