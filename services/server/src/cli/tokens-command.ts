import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Token, TokenState } from "@runlane/sdk/gen/runlane/v1/token_service_pb.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { connected } from "./connected.js";
import type { ExitCode } from "./exit-code.js";
import { labelled, table } from "./table.js";

/** Options of `runlane tokens list`. */
export interface ListTokensOptions extends ClientOptions {
  state?: string[];
  tag?: string[];
  limit?: number;
}

/** `runlane tokens list`: tokens, the newest first. */
export async function listTokensCommand(context: CommandContext, options: ListTokensOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const states = (options.state ?? []).map((name) => TokenState[name as keyof typeof TokenState]);
    const { tokens } = await server.tokens.listTokens({ pageSize: options.limit ?? 25, states, tags: options.tag ?? [] });
    if (options.json) context.terminal.result(JSON.stringify(tokens.map(tokenToJson)));
    else if (tokens.length === 0) context.terminal.note("There is no such token.");
    else context.terminal.result(tokenTable(tokens));
  });
}

/** `runlane tokens get <id>`: one, with its callback URL. */
export async function getTokenCommand(context: CommandContext, tokenId: string, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const { token } = await server.tokens.getToken({ tokenId });
    show(context, token, options);
  });
}

/** `runlane tokens complete <id> [json]`: lets everybody go on who waits for it. One that has ended stays as it is. */
export async function completeTokenCommand(context: CommandContext, tokenId: string, json: string | undefined, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const text = json === "-" ? await context.readStdin() : json;
    const output = text === undefined ? {} : { output: { contentType: "application/json", data: new TextEncoder().encode(text) } };
    const { token } = await server.tokens.completeToken({ tokenId, ...output });
    show(context, token, options);
  });
}

function show({ terminal }: CommandContext, token: Token | undefined, { json }: ClientOptions): void {
  if (!token) throw new Error("the server answered without a token");
  const facts = tokenToJson(token);
  if (json) return terminal.result(JSON.stringify(facts));
  terminal.result(labelled(Object.entries(facts).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)] as const)));
}

/** A token for programs. */
function tokenToJson({ id, state, createTime, timeoutTime, finishTime, output, tags, idempotencyKey, callbackUrl }: Token): Record<string, unknown> {
  return {
    id,
    state: TokenState[state],
    ...(createTime && { createTime: timestampDate(createTime).toISOString() }),
    ...(timeoutTime && { timeoutTime: timestampDate(timeoutTime).toISOString() }),
    ...(finishTime && { finishTime: timestampDate(finishTime).toISOString() }),
    ...(output && output.data.length > 0 && { output: readableOf(output.data) }),
    ...(output?.reference && { outputReference: output.reference }),
    ...(tags.length > 0 && { tags }),
    ...(idempotencyKey && { idempotencyKey }),
    callbackUrl,
  };
}

/** What is not JSON is shown as the text that it is. */
function readableOf(data: Uint8Array): unknown {
  const text = new TextDecoder().decode(data);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function tokenTable(tokens: readonly Token[]): string {
  const at = (time: Token["createTime"]) => (time ? timestampDate(time).toISOString() : "-");
  const rows = tokens.map(({ id, state, createTime, timeoutTime, tags }) => [id, TokenState[state], at(createTime), at(timeoutTime), tags.join(" ")]);
  return table(["TOKEN", "STATE", "CREATED", "TIMES OUT", "TAGS"], rows);
}
