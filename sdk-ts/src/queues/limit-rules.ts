const name = /^[A-Za-z0-9_\-./:]{1,128}$/;
const mostSlots = 100_000;

/** The rule for names of tasks, queues and limits, as the rest of a sentence. */
export const nameRule = 'has 1 to 128 characters of letters, digits and "_-./:"';

/** Whether text can be the name of a task, a queue or a limit. */
export function isName(text: unknown): boolean {
  return typeof text === "string" && name.test(text);
}

/** Checks a number of runs that may execute at once; undefined is no limit. @throws Error if it breaks its rule. `where` begins the message. */
export function checkSlots(where: string, slots: number | undefined): void {
  if (slots === undefined || (Number.isInteger(slots) && slots >= 0 && slots <= mostSlots)) return;
  throw new Error(`${where} must be a whole number from 0 to 100,000`);
}
