import { usageFailure } from "./exit-code.js";

const units = { "": 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 } as const;

/** Bytes of a size as people write it: 500MB, 1.5 GiB, 1000000. @throws CommandFailure (usage) for anything else */
export function parseByteSize(text: string): number {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)\s*([kmgt]i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(number) * units[(unit ?? "").toLowerCase() as keyof typeof units]);
  if (!(bytes > 0) || !Number.isSafeInteger(bytes)) throw usageFailure(`"${text}" is not a size; write one like 500MB or 20GiB`);
  return bytes;
}
