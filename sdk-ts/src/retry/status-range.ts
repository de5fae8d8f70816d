/**
 * Whether an HTTP status is among those that a key of `byStatus` names: "all", "429", "500-599", "5xx", "42x", or several of them with commas between, "408,429,5xx". Spaces do not
 * matter. What is none of these names no status.
 */
export function isStatusInRange(status: number, range: string): boolean {
  return range.split(",").some((part) => isIn(status, part.trim()));
}

function isIn(status: number, part: string): boolean {
  if (part === "all") return true;
  const bounds = /^(\d+)\s*-\s*(\d+)$/.exec(part);
  if (bounds) return status >= Number(bounds[1]) && status <= Number(bounds[2]);
  const [, digits = "", wildcard] = /^(\d+)(x*)$/.exec(part) ?? [];
  if (digits === "") return false;
  return wildcard ? String(status).startsWith(digits) : status === Number(digits);
}
