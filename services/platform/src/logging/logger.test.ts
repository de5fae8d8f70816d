import { describe, expect, test } from "vitest";
import { createLogger } from "./logger.js";

function lines(env: NodeJS.ProcessEnv = {}) {
  const written: string[] = [];
  const logger = createLogger({ name: "scheduler", env, destination: { write: (line) => void written.push(line) } });
  return { logger, entries: () => written.map((line) => JSON.parse(line) as Record<string, unknown>), text: () => written.join("") };
}

describe("the logger", () => {
  test("writes the service, the level as a word and the time as ISO 8601", () => {
    const { logger, entries } = lines();
    logger.info({ runId: "run_1" }, "triggered");
    expect(entries()).toEqual([
      { level: "info", time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), pid: process.pid, name: "scheduler", runId: "run_1", msg: "triggered" },
    ]);
  });

  test("takes its level from RUNLANE_LOG_LEVEL", () => {
    const { logger, entries } = lines({ RUNLANE_LOG_LEVEL: "WARN" });
    logger.info("no");
    logger.warn("yes");
    expect(entries().map((entry) => entry.msg)).toEqual(["yes"]);
    expect(() => lines({ RUNLANE_LOG_LEVEL: "loud" })).toThrow("loud is none of trace, debug");
  });

  test("shows no secret", () => {
    const { logger, text } = lines();
    logger.info({ authorization: "Bearer rl_dev_abc", headers: { authorization: "Bearer rl_dev_abc" }, options: { nats: { password: "rl_dev_abc" } } });
    logger.child({ secretKey: "rl_dev_abc" }).error({ err: new Error("no") });
    expect(text()).not.toContain("rl_dev_abc");
    expect(text()).toContain("[redacted]");
  });
});
