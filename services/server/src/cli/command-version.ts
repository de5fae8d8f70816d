import { readFileSync } from "node:fs";

/** Version of the `runlane` package. */
export function commandVersion(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
