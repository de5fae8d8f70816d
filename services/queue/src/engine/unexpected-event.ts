/** An event that does not follow from the log before it: the log is damaged, or this code is older than its writer. */
export class UnexpectedEvent extends Error {
  override readonly name = "UnexpectedEvent";
}
