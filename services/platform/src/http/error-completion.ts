import { Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { endStreamFlag, errorFromJson, errorToJson } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { refusal } from "../errors.js";
import { protocolFault } from "./protocol-fault.js";

/** Of an envelope, before its message: one byte of flags and four of length. */
const envelopeHeadBytes = 5;

/**
 * What Connect's protocol layer refuses by itself, a message that is malformed, too large or missing, a compression that it does not know, ends without details and before any
 * handler or interceptor. This gives such a response our details, in whichever protocol it speaks.
 */
export async function completed(response: UniversalServerResponse): Promise<UniversalServerResponse> {
  const contentType = response.header?.get("content-type") ?? "";
  if (response.body === undefined) return response;
  if (contentType.startsWith("application/grpc-web")) return { ...response, body: lastEnvelope(response.body, trailerFlag, completedWebTrailer) };
  if (contentType.startsWith("application/grpc")) return { ...response, body: thenTrailer(response.body, response.trailer) };
  if (contentType.startsWith("application/connect+")) return { ...response, body: lastEnvelope(response.body, endStreamFlag, completedEndStream) };
  if (response.status >= 400 && response.header?.get("content-encoding") === null) return await completedUnary(response, response.body);
  return response;
}

/** The same error under one of our reasons; undefined if it has details, or needs none. */
function withReason(error: ConnectError): ConnectError | undefined {
  const isDefect = error.code === Code.Internal && error.details.length === 0;
  return protocolFault(error) ?? (isDefect ? refusal("INTERNAL", error.rawMessage) : undefined);
}

async function completedUnary(response: UniversalServerResponse, body: AsyncIterable<Uint8Array>): Promise<UniversalServerResponse> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  let bytes: Uint8Array = Buffer.concat(chunks);
  const error = withReason(errorOfJson(JSON.parse(Buffer.from(bytes).toString())));
  if (error) bytes = Buffer.from(JSON.stringify(errorToJson(error, undefined)));
  response.header?.set("content-length", String(bytes.byteLength));
  return { ...response, body: only(bytes) };
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** Every chunk of a stream's body is one envelope; the last one carries `flag`, alone unless it is compressed, which errors without details are too short for. */
async function* lastEnvelope(body: AsyncIterable<Uint8Array>, flag: number, complete: (data: Uint8Array) => Uint8Array): AsyncIterable<Uint8Array> {
  for await (const chunk of body) yield chunk[0] === flag ? encodeEnvelope(flag, complete(chunk.subarray(envelopeHeadBytes))) : chunk;
}

function completedEndStream(data: Uint8Array): Uint8Array {
  const end = JSON.parse(Buffer.from(data).toString());
  const error = end.error && withReason(errorOfJson(end.error));
  return error ? Buffer.from(JSON.stringify({ ...end, error: errorToJson(error, undefined) })) : data;
}

function completedWebTrailer(data: Uint8Array): Uint8Array {
  const trailer = trailerParse(data);
  return completeTrailer(trailer) ? trailerSerialize(trailer) : data;
}

/** gRPC's trailer is filled by the time the body has ended. */
async function* thenTrailer(body: AsyncIterable<Uint8Array>, trailer: Headers | undefined): AsyncIterable<Uint8Array> {
  yield* body;
  if (trailer) completeTrailer(trailer);
}

function completeTrailer(trailer: Headers): boolean {
  const found = findTrailerError(trailer);
  const error = found && withReason(found);
  if (error) setTrailerStatus(trailer, error);
  return error !== undefined;
}

function errorOfJson(json: Parameters<typeof errorFromJson>[0]): ConnectError {
  return errorFromJson(json, undefined, new ConnectError("", Code.Unknown));
}
