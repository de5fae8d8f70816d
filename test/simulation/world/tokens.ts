import { create } from "@bufbuild/protobuf";
import { PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { CreateTokenRequestSchema } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import { decideCompleteToken, decideCreateToken, tokenIdOf } from "@runlane/queue/testing/simulated.js";
import type { Chance } from "./chance.js";
import type { SimulatedOwner } from "./owner.js";

/** Tokens that a history may have. */
const mostTokens = 12;

/** People and systems that are waited for. */
export class Tokens {
  readonly #owner: SimulatedOwner;

  constructor(owner: SimulatedOwner) {
    this.#owner = owner;
  }

  /** Somebody creates a token, or completes one. */
  happen(chance: Chance): void {
    const tokens = [...this.#owner.environment.tokens.byNumber.keys()];
    if (tokens.length === 0 || (tokens.length < mostTokens && chance.is(0.4))) this.#create(chance);
    else this.complete(chance.of(tokens), chance.below(256));
  }

  /** Completes all that are open. */
  completeAll(): void {
    for (const number of [...this.#owner.environment.tokens.byNumber.keys()]) this.complete(number, 0);
  }

  /** Id of some token, now and then of one that does not exist. */
  id(chance: Chance): string {
    const { environment } = this.#owner;
    return tokenIdOf(environment, chance.is(0.05) ? 999 : 1 + chance.below(Math.max(1, environment.tokens.next - 1)));
  }

  complete(number: number, byte: number): void {
    const { environment } = this.#owner;
    const token = environment.tokens.byNumber.get(number);
    if (!token) return;
    const output = byte % 3 === 0 ? undefined : create(PayloadSchema, { data: Uint8Array.of(byte) });
    this.#owner.decide(
      (step) => void decideCompleteToken(step, environment, token, output),
      () => ({ kind: "completeToken", token: number, state: token.state }),
    );
  }

  #create(chance: Chance): void {
    const { environment } = this.#owner;
    const seconds = chance.of([0, 1, 20, 600]);
    const request = create(CreateTokenRequestSchema, {
      ...(seconds > 0 ? { timeout: { seconds: BigInt(seconds), nanos: 0 } } : {}),
      ...(chance.is(0.3) ? { idempotencyKey: chance.of(["m", "n"]), idempotencyKeyTtl: { seconds: BigInt(chance.of([1, 60, 86_400])), nanos: 0 } } : {}),
      ...(chance.is(0.3) ? { requestId: `token ${chance.below(4)}` } : {}),
      timer: chance.is(0.3),
    });
    this.#owner.decide(
      (step) => decideCreateToken(step, environment, request, "secret"),
      (made) => {
        if ("reason" in made) throw new Error(made.message);
        return { kind: "createToken", token: made.token.number, cached: made.cached };
      },
    );
  }
}
