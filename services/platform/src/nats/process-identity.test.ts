import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { identifyByPs, identifyProcess } from "./process-identity.js";

const ways = [
  { name: "the platform's own way", identify: identifyProcess },
  { name: "ps", identify: identifyByPs },
];

for (const { name, identify } of ways) {
  test(`${name}: a living process has a command and a start, an ended one is unknown`, async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "some argument"], { stdio: "ignore" });
    await once(child, "spawn");
    const pid = child.pid ?? 0;
    await expect.poll(async () => (await identify(pid))?.command).toMatch(/ -e setInterval.* some argument$/);
    const first = await identify(pid);
    expect(first?.startedAt).not.toBe("");
    expect(await identify(pid)).toEqual(first);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await identify(pid)).toBeUndefined();
  });
}
