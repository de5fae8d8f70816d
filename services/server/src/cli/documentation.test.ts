import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runlane } from "../testing/command-double.js";
import { exitCode } from "./exit-code.js";

const page = readFileSync(new URL("../../../../docs/command-line.md", import.meta.url), "utf8");

/** What stands at the beginning of the lines of a part of the help. */
async function listed(command: string[], heading: string, entry: RegExp): Promise<string[]> {
  const { stdout } = await runlane([...command, "--help"]);
  const part = stdout.split(`${heading}:\n`)[1]?.split("\n\n")[0] ?? "";
  return part.split("\n").flatMap((line) => entry.exec(line)?.[1] ?? []);
}

async function commands(of: string[] = []): Promise<string[][]> {
  const names = (await listed(of, "Commands", /^ {2}([a-z-]+)/)).filter((name) => name !== "help");
  const below = await Promise.all(names.map((name) => commands([...of, name])));
  return names.flatMap((name, i) => (below[i]!.length > 0 ? below[i]! : [[...of, name]]));
}

test("docs/command-line.md has every command", async () => {
  const all = await commands();
  expect(all.length).toBeGreaterThan(8);
  expect(all.map((words) => words.join(" ")).filter((command) => !page.includes(`\`runlane ${command}`))).toEqual([]);
});

test("and every option, beside a command that has it", async () => {
  const missing: string[] = [];
  for (const words of await commands()) {
    for (const option of await listed(words, "Options", /^ {2}(?:-\w, )?(--[a-z-]+)/)) {
      if (option !== "--help" && !page.includes(`\`${option}\``)) missing.push(`${words.join(" ")} ${option}`);
    }
  }
  expect(missing).toEqual([]);
});

test("and every exit code; so has the help", async () => {
  const { stdout } = await runlane(["--help"]);
  for (const code of Object.values(exitCode)) {
    expect(page).toMatch(new RegExp(`^\\| ${code} \\|`, "m"));
    expect(stdout).toMatch(new RegExp(`^ {2}${code} `, "m"));
  }
});
