/** A promise that was broken. The message says which, of what, and by how much. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Breaks off unless a promise was kept. */
export function promise(kept: boolean, broken: () => string): asserts kept {
  if (!kept) throw new Violation(broken());
}
