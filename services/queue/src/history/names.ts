/** Texts as small numbers: tasks, queues, versions and environments are few, and rows are many. */
export class Names {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [""];
  readonly #added: (id: number, text: string) => void;

  /** @param added hears of each new name, to store it */
  constructor(added: (id: number, text: string) => void) {
    this.#added = added;
  }

  /** Takes a stored name. */
  load(id: number, text: string): void {
    this.#ids.set(text, id);
    this.#texts[id] = text;
  }

  /** The number of a text, given to it now if it had none. Of the empty text: 0. */
  idOf(text: string): number {
    if (text === "") return 0;
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#texts.length;
      this.load(id, text);
      this.#added(id, text);
    }
    return id;
  }

  /** The number of a text; -1 if nothing has that name. */
  find(text: string): number {
    return text === "" ? 0 : (this.#ids.get(text) ?? -1);
  }

  /** The text of a number. */
  textOf(id: number): string {
    return this.#texts[id] ?? "";
  }
}
