/** What befell a process outside of the promises that attempts await. */
export type ProcessFault =
  /** Nobody caught an error, or the rejection of a promise. */
  | { readonly kind: "uncaught"; readonly error: unknown; readonly rejection: boolean }
  /** Code called process.exit. */
  | { readonly kind: "exit"; readonly exitCode: number };

/** Thrown by process.exit inside a run, so that the code behind the call does not go on. */
export class ProcessExitError extends Error {
  override readonly name = "ProcessExitError";

  constructor(exitCode: number) {
    super(`process.exit(${exitCode}) was called inside a run. Other runs share the process, so only this attempt was ended.`);
  }
}

/**
 * Charges faults to whoever caused them. `charge` is called on the asynchronous context of the code that failed, and answers whether it found the culprit; if not, the
 * process ends as Node would have ended it, and all its attempts are lost.
 */
export function chargeFaults(charge: (fault: ProcessFault) => boolean): void {
  const exit = process.exit;
  process.on("uncaughtException", (error) => {
    if (charge({ kind: "uncaught", error, rejection: false })) return;
    process.stderr.write(`an error that no run can be charged with ends this process: ${textOf(error)}\n`);
    exit.call(process, 1);
  });
  process.on("unhandledRejection", (error) => {
    if (charge({ kind: "uncaught", error, rejection: true })) return;
    process.stderr.write(`a rejection that no run can be charged with ends this process: ${textOf(error)}\n`);
    exit.call(process, 1);
  });
  process.exit = (code?: number | string | null): never => {
    const exitCode = Number(code ?? process.exitCode ?? 0);
    if (charge({ kind: "exit", exitCode })) throw new ProcessExitError(exitCode);
    return exit.call(process, exitCode);
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
