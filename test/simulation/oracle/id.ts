// Crockford's alphabet in lower case, as ids show numbers.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** Number of the run, or the batch, with this id. */
export function numberOfId(id: string): number {
  let number = 0;
  for (const digit of id.slice(-9)) number = number * 32 + alphabet.indexOf(digit);
  return number;
}
