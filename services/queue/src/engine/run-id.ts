/** The part of an environment that its run ids show. */
export interface TaggedEnvironment {
  readonly tag: string;
}

// Crockford's alphabet in lower case: no letter is mistaken for a digit.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const digits = 9;

/** Id of a run: the environment's tag, which tells ids of other installations apart, and the run's number. */
export function runIdOf(environment: TaggedEnvironment, number: number): string {
  return `run_${environment.tag}${textOf(number)}`;
}

/** Number of the run with this id, or undefined if no run of this environment can have it. */
export function runNumberOf(environment: TaggedEnvironment, id: string): number | undefined {
  return numberIn(`run_${environment.tag}`, id);
}

/** Id of a batch, as that of a run. */
export function batchIdOf(environment: TaggedEnvironment, number: number): string {
  return `batch_${environment.tag}${textOf(number)}`;
}

/** Number of the batch with this id, or undefined if no batch of this environment can have it. */
export function batchNumberOf(environment: TaggedEnvironment, id: string): number | undefined {
  return numberIn(`batch_${environment.tag}`, id);
}

/** Id of a token for which runs wait: as Trigger.dev's, and as that of a run. */
export function tokenIdOf(environment: TaggedEnvironment, number: number): string {
  return `waitpoint_${environment.tag}${textOf(number)}`;
}

/** Number of the token with this id, or undefined if no token of this environment can have it. */
export function tokenNumberOf(environment: TaggedEnvironment, id: string): number | undefined {
  return numberIn(`waitpoint_${environment.tag}`, id);
}

function textOf(number: number): string {
  let text = "";
  for (let rest = number, i = 0; i < digits; i++, rest = Math.floor(rest / 32)) text = alphabet.charAt(rest % 32) + text;
  return text;
}

function numberIn(prefix: string, id: string): number | undefined {
  if (id.length !== prefix.length + digits || !id.startsWith(prefix)) return undefined;
  let number = 0;
  for (let i = prefix.length; i < id.length; i++) {
    const digit = alphabet.indexOf(id.charAt(i));
    if (digit < 0) return undefined;
    number = number * 32 + digit;
  }
  return number > 0 ? number : undefined;
}

/** A tag of four characters from a random number in [0, 1). */
export function createTag(random: number): string {
  let tag = "";
  for (let rest = Math.floor(random * 32 ** 4), i = 0; i < 4; i++, rest = Math.floor(rest / 32)) tag += alphabet.charAt(rest % 32);
  return tag;
}
