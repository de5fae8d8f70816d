import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import type { OnCleanUp } from "../support/test-server.js";
import { cachedFolder, ForeignProject } from "./foreign-project.js";
import { PageSection } from "./page.js";

// Without -trimpath Go would compile the generated code anew in each temporary folder. The same flags everywhere: the standard library is compiled once.
const flags = { GOFLAGS: "-trimpath", CGO_ENABLED: "0" };

/** Why Go programs cannot be built here, or undefined if they can. */
export function goFault(): string | undefined {
  const { error, stdout } = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" });
  const minor = Number(/^go1\.(\d+)/.exec(stdout ?? "")?.[1] ?? 0);
  return error || minor < 24 ? "there is no Go 1.24 or newer" : undefined;
}

/** The project of the page's section on Go, with its client built. */
export async function goProject(onCleanUp?: OnCleanUp): Promise<ForeignProject> {
  const page = new PageSection("Go");
  const installs = page.commands("go install ");
  const version = spawnSync("go", ["version"], { encoding: "utf8" }).stdout;
  const tools = await cachedFolder("go", version + installs.join("\n"), async (folder) => {
    for (const command of installs) await promisify(execFile)("go", command.split(" ").slice(1), { env: { ...process.env, ...flags, GOBIN: folder } });
  });
  const project = new ForeignProject("examples/go/client", { tools: [tools], ...(onCleanUp && { onCleanUp }) });
  await project.generate(page.template);
  await project.execute("go", ["build", "-o", "client", "."], flags);
  return project;
}
