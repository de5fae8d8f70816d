import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

/** Reads a file that others append to: each line once, and no line before it is whole. The file need not be there yet. */
export class AppendedLines {
  readonly #path: string;
  readonly #decoder = new StringDecoder("utf8");
  readonly #buffer = Buffer.alloc(1024 * 1024);
  #position = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** The lines that were appended since the last call. */
  read(): string[] {
    if (!existsSync(this.#path)) return [];
    const descriptor = openSync(this.#path, "r");
    try {
      for (;;) {
        const length = readSync(descriptor, this.#buffer, 0, this.#buffer.length, this.#position);
        if (length === 0) break;
        this.#position += length;
        this.#rest += this.#decoder.write(this.#buffer.subarray(0, length));
      }
    } finally {
      closeSync(descriptor);
    }
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }
}
