import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { repository } from "../support/program.js";
import type { OnCleanUp } from "../support/test-server.js";
import { cachedFolder, ForeignProject } from "./foreign-project.js";
import { PageSection } from "./page.js";

const example = "examples/python";

/** Why Python programs cannot be run here, or undefined if they can. */
export function pythonFault(): string | undefined {
  const { error, status } = spawnSync("python3", ["-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]);
  return error || status !== 0 ? "there is no Python 3.11 or newer with pip" : undefined;
}

/** The project of the page's section on Python: client.py, worker.py, and the code that they need. */
export async function pythonProject(onCleanUp?: OnCleanUp): Promise<ForeignProject> {
  const requirements = join(repository, example, "requirements.txt");
  const version = spawnSync("python3", ["-VV"], { encoding: "utf8" }).stdout;
  // In a folder of its own instead of a virtual environment, because that could not be moved to its place.
  const packages = await cachedFolder("python", version + readFileSync(requirements, "utf8"), async (folder) => {
    const options = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--target", folder];
    await promisify(execFile)("python3", ["-m", "pip", "install", ...options, "--requirement", requirements]);
  });
  const env = { PYTHONPATH: [packages, "gen"].join(delimiter), PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1" };
  const project = new ForeignProject(example, { env, ...(onCleanUp && { onCleanUp }) });
  await project.generate(new PageSection("Python").template);
  return project;
}
