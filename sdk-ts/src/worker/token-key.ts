/** An attempt token as a key of maps: one character a byte. Holds none of the frame's memory, unlike the token itself. */
export type TokenKey = string;

/** The key of a token. */
export function tokenKey(token: Uint8Array): TokenKey {
  const bytes = token instanceof Buffer ? token : Buffer.from(token.buffer, token.byteOffset, token.byteLength);
  return bytes.toString("latin1");
}

/** The token of a key. */
export function keyToken(key: TokenKey): Buffer {
  return Buffer.from(key, "latin1");
}

/** Exclusive or of the last eight bytes of tokens, kept up to date one token at a time; adding a token again takes it out. */
export class TokenDigest {
  #high = 0;
  #low = 0;

  /** Adds a token, or takes it out. */
  toggle(key: TokenKey): void {
    const end = key.length;
    this.#high ^= fourBytes(key, end - 8);
    this.#low ^= fourBytes(key, end - 4);
  }

  /** The digest, as Heartbeat.held_digest has it. */
  get value(): bigint {
    return (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0);
  }
}

function fourBytes(key: TokenKey, at: number): number {
  return (key.charCodeAt(at) << 24) | (key.charCodeAt(at + 1) << 16) | (key.charCodeAt(at + 2) << 8) | key.charCodeAt(at + 3);
}
