import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../support/program.js";

/** A part of docs/other-languages.md, by its heading: what the tests do, they do by the page's own text. */
export class PageSection {
  readonly #text: string;

  constructor(heading: string) {
    const page = readFileSync(join(repository, "docs/other-languages.md"), "utf8");
    const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
    if (section === undefined) throw new Error(`docs/other-languages.md has no section "${heading}"`);
    this.#text = section;
  }

  /** The first template for buf. */
  get template(): string {
    const template = /```yaml\n(version: v2\n.*?)```/s.exec(this.#text)?.[1];
    if (template === undefined) throw new Error("the section has no buf.gen.yaml");
    return template;
  }

  /** Lines of its shell blocks that begin with these words. */
  commands(beginning: string): string[] {
    const blocks = [...this.#text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = ""]) => block);
    return blocks.flatMap((block) => block.split("\n")).filter((line) => line.startsWith(beginning));
  }
}
