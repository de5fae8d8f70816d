/**
 * Refuses options that have no effect yet, instead of ignoring them: an ignored `delay` or `idempotencyKey` does harm long before anybody notices. Options that are
 * undefined are fine.
 *
 * @throws Error that names them.
 */
export function refuseUnsupported(where: string, options: object | undefined, supported: readonly string[]): void {
  if (options === undefined) return;
  const unsupported: string[] = [];
  // Without Object.entries: this is on the way of every trigger.
  for (const name in options) {
    if (!supported.includes(name) && (options as Record<string, unknown>)[name] !== undefined) unsupported.push(name);
  }
  if (unsupported.length > 0) throw new Error(`${where}: not yet supported: ${unsupported.join(", ")}`);
}
