import { locals, tasks } from "@trigger.dev/sdk";

export interface Database {
  readonly name: string;
  readonly queries: string[];
}

const key = locals.create<Database>("database");

export function database(): Database {
  return locals.getOrThrow(key);
}

tasks.middleware("database", async ({ ctx, next }) => {
  const connected = locals.set(key, { name: ctx.environment.slug, queries: [] });
  await next();
  connected.queries.length = 0;
});
