/** A payload as a client in any language makes it: JSON in UTF-8. */
export function jsonPayload(value: unknown): { data: Uint8Array } {
  return { data: new TextEncoder().encode(JSON.stringify(value)) };
}

/** The value of a JSON payload; undefined if it has none. */
export function jsonValue(payload: { data: Uint8Array } | undefined): unknown {
  return payload === undefined || payload.data.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(payload.data));
}
