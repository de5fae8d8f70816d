import { Heap } from "./heap.js";

/** Entries up to which nothing is swept. */
const fewest = 1_024;

/**
 * A min-heap of things that are to happen at a time, most of which never do: what lost its meaning is swept out whenever the heap has doubled, so it holds at most as much of that as of the rest.
 * Without it, a run that starts at once would stay in memory for as long as its time to live.
 */
export class SweptHeap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #isMeant: (entry: T) => boolean;
  #heap: Heap<T>;
  #limit = fewest;

  /**
   * @param before the order; it must be total, so that sweeping changes nothing
   * @param isMeant whether an entry still has its meaning
   */
  constructor(before: (a: T, b: T) => boolean, isMeant: (entry: T) => boolean) {
    this.#before = before;
    this.#isMeant = isMeant;
    this.#heap = new Heap(before);
  }

  /** How many entries there are, those without meaning among them. */
  get size(): number {
    return this.#heap.size;
  }

  push(entry: T): void {
    if (this.#heap.size >= this.#limit) this.#sweep();
    this.#heap.push(entry);
  }

  /** The first entry, with or without meaning. */
  peek(): T | undefined {
    return this.#heap.peek();
  }

  pop(): T | undefined {
    return this.#heap.pop();
  }

  clear(): void {
    this.#heap = new Heap(this.#before);
    this.#limit = fewest;
  }

  #sweep(): void {
    const left = new Heap(this.#before);
    for (let entry = this.#heap.pop(); entry !== undefined; entry = this.#heap.pop()) if (this.#isMeant(entry)) left.push(entry);
    this.#heap = left;
    this.#limit = Math.max(fewest, 2 * left.size);
  }
}
