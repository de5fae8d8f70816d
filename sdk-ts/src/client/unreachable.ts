import { Code, ConnectError } from "@connectrpc/connect";

/** What is known when a client stops trying. */
export interface Unreachable {
  /** Address of the server. */
  readonly address: string;
  /** How long was tried, in milliseconds. */
  readonly triedMs: number;
  /** Whether the connection stands, and only the answer does not come. */
  readonly connected: boolean;
  /** Whether the server has ever answered this client. */
  readonly contacted: boolean;
  /** What went wrong last. */
  readonly lastError: ConnectError | undefined;
  /** What it means for the caller. */
  readonly consequence?: string;
}

/** The error for a call that no server answered: UNAVAILABLE without ErrorInfo, and a message that says what to do. */
export function unreachableError({ address, triedMs, connected, contacted, lastError, consequence }: Unreachable): ConnectError {
  const seconds = Number((triedMs / 1_000).toFixed(1));
  const what = connected
    ? `The Runlane server at ${address} did not answer for ${seconds} s`
    : `No Runlane server could be reached at ${address} for ${seconds} s`;
  const why = lastError ? ` (${plainReason(lastError)})` : "";
  const advice = contacted ? "" : " Start one with `npx runlane server`, or say where it is: RUNLANE_ADDRESS, or configure({ baseURL }).";
  const message = `${what}${why}${consequence ? `: ${consequence}` : ""}.${advice}`;
  return new ConnectError(message, Code.Unavailable, undefined, undefined, lastError);
}

// How @grpc/grpc-js words a call that found no connection: "No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:7400. Resolution note: ".
const unconnected = /^No connection established\. Last error: (?:Error: )?(.*?)\.? Resolution note:/s;

/** Whether a call failed before anything of it left this machine. If the library changes its words, the answer is no, which promises less. */
export function isUnconnected(error: ConnectError): boolean {
  return unconnected.test(error.rawMessage);
}

/** Why a call failed, in the words of the system where those of the library only wrap them: "connect ECONNREFUSED 127.0.0.1:7400". */
export function plainReason(error: ConnectError): string {
  return unconnected.exec(error.rawMessage)?.[1] ?? error.rawMessage;
}
