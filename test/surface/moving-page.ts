import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../support/program.js";

const page = join(repository, "docs/moving-from-trigger-dev.md");

/**
 * The names of Trigger.dev's SDK that docs/moving-from-trigger-dev.md says are not there so far: what stands in backquotes in the first column of the tables under "Not yet: names". The name
 * of an object stands for its members, too.
 *
 * @throws Error if the page has no such part
 */
export function namesNotYet(markdown: string = readFileSync(page, "utf8")): string[] {
  const part = /^## Not yet: names$(.*?)(?=^## |$(?![\s\S]))/ms.exec(markdown)?.[1];
  if (part === undefined) throw new Error(`${page} has no "## Not yet: names"`);
  const firstColumns = [...part.matchAll(/^\|([^|]*)\|/gm)].map(([, column]) => column!);
  return firstColumns.flatMap((column) => [...column.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}
