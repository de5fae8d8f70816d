import fc from "fast-check";
import { expect, test } from "vitest";
import { keyToken, TokenDigest, tokenKey } from "./token-key.js";

const tokens = fc.uint8Array({ minLength: 8, maxLength: 40 });

test("a key is its token, byte for byte", () => {
  fc.assert(
    fc.property(tokens, (token) => {
      expect([...keyToken(tokenKey(token))]).toEqual([...token]);
    }),
  );
});

test("the digest is the exclusive or of the last eight bytes of what was added and not taken out", () => {
  fc.assert(
    fc.property(fc.uniqueArray(tokens, { selector: tokenKey }), fc.nat(), (all, out) => {
      const digest = new TokenDigest();
      const gone = all.slice(0, out % (all.length + 1));
      for (const token of [...all, ...gone]) digest.toggle(tokenKey(token));
      const expected = all.slice(gone.length).reduce((sum, token) => sum ^ Buffer.from(token).readBigUInt64BE(token.length - 8), 0n);
      expect(digest.value).toBe(expected);
    }),
  );
});
