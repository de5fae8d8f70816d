import { Code, ConnectError } from "@connectrpc/connect";
import type { InternalCode } from "../worker/failure.js";
import { messageOf } from "../worker/failure.js";

/** The payload or the output of an attempt did not make its way. */
export class TransferFailure extends Error {
  override readonly name = "TransferFailure";
  readonly code: InternalCode;
  /** Another attempt would meet the same. */
  readonly final: boolean;

  /** `cause` is what is behind it. */
  constructor(code: InternalCode, message: string, cause: unknown, final: boolean) {
    super(message, { cause });
    this.code = code;
    this.final = final;
  }

  /** A call for a value that the server keeps apart failed. What is gone for good, no other attempt will find. */
  static ofCall(code: InternalCode, what: string, cause: unknown): TransferFailure {
    return new TransferFailure(code, `${what}: ${messageOf(cause)}`, cause, cause instanceof ConnectError && cause.code === Code.NotFound);
  }
}
