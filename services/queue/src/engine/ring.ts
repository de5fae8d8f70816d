/** Something that takes turns. It is in one ring at a time. */
export interface Turn<T extends Turn<T>> {
  /** The ring that it is in; undefined: in none. */
  ring: Ring<T> | undefined;
  before: T | undefined;
  after: T | undefined;
  /** When it joined: tickets count up, so of the heads of several rings the one with the lowest ticket has waited longest. */
  ticket: number;
}

/**
 * Those who take turns, the longest waiting first: a list through its members, so that joining, leaving from anywhere and moving to the end cost nothing, and nothing is allocated.
 *
 * Not a Set: finding the first entry of one from which others were deleted skips what they left behind, each time.
 */
export class Ring<T extends Turn<T>> {
  head: T | undefined = undefined;
  #tail: T | undefined = undefined;

  /** Joins at the end. */
  join(member: T, ticket: number): void {
    member.ring = this;
    member.ticket = ticket;
    member.after = undefined;
    member.before = this.#tail;
    if (this.#tail) this.#tail.after = member;
    else this.head = member;
    this.#tail = member;
  }

  /** Leaves, from wherever it is. */
  leave(member: T): void {
    const { before, after } = member;
    if (before) before.after = after;
    else this.head = after;
    if (after) after.before = before;
    else this.#tail = before;
    member.ring = undefined;
    member.before = undefined;
    member.after = undefined;
  }

  /** Has had its turn: others come first. */
  pass(member: T, ticket: number): void {
    if (this.#tail === member) {
      member.ticket = ticket;
      return;
    }
    this.leave(member);
    this.join(member, ticket);
  }
}
