import type { DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { createHandlerContext, type MethodImplSpec } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import type { BidiListener, BidiStream } from "./bidi-stream.js";
import { callbackHandlerOf } from "./callback-handler.js";

/** A stream that writes down what is done to it. */
class FakeStream implements BidiStream<unknown> {
  open = true;
  readonly sent: unknown[] = [];
  readonly log: string[] = [];
  error: unknown;
  room = Number.POSITIVE_INFINITY;

  send(message: unknown): boolean {
    this.sent.push(message);
    return this.sent.length < this.room;
  }
  end(error?: unknown): void {
    if (!this.open) return;
    this.open = false;
    this.error = error;
    this.log.push("end");
  }
  pause(): void {
    this.log.push("pause");
  }
  resume(): void {
    this.log.push("resume");
  }
}

const message = (id: number) => ({ id }) as unknown as Message as never;

function start(kind: MethodImplSpec["kind"], impl: unknown): { stream: FakeStream; listener: BidiListener<never>; abort(reason: unknown): void } {
  const method: DescMethod = RunService.method.triggerStream;
  const context = createHandlerContext({ service: RunService, method, protocolName: "grpc", requestMethod: "POST", url: "" });
  const stream = new FakeStream();
  const spec = { kind, method, impl } as MethodImplSpec<DescMessage, DescMessage>;
  return { stream, listener: callbackHandlerOf(spec)(stream, context), abort: (reason) => context.abort(reason) };
}

describe("Connect's kinds of handlers in callback form", () => {
  test("unary: answers once the client has said all", async () => {
    const { stream, listener } = start("unary", async (request: unknown) => ["answer", request]);
    listener.onMessage(message(1));
    expect(stream.log).toEqual([]);
    listener.onEnd?.();
    await vi.waitFor(() => expect(stream.log).toEqual(["end"]));
    expect(stream.sent).toEqual([["answer", { id: 1 }]]);
    expect(() => listener.onMessage(message(2))).toThrow("a second one came");
  });

  test("unary: a rejection without a reason is an error all the same", async () => {
    const { stream, listener } = start("unary", () => Promise.reject());
    listener.onMessage(message(1));
    listener.onEnd?.();
    await vi.waitFor(() => expect(stream.error).toBeInstanceOf(Error));
  });

  test("client streaming: reads all, then answers", async () => {
    const { stream, listener } = start("client_streaming", async (requests: AsyncIterable<{ id: number }>) => {
      let sum = 0;
      for await (const { id } of requests) sum += id;
      return sum;
    });
    for (const id of [1, 2, 3]) listener.onMessage(message(id));
    listener.onEnd?.();
    await vi.waitFor(() => expect(stream.log).toEqual(["end"]));
    expect(stream.sent).toEqual([6]);
  });

  test("client streaming: asks for no more than is read", async () => {
    let read = () => {};
    const { stream, listener } = start("client_streaming", async (requests: AsyncIterable<unknown>) => {
      await new Promise<void>((resolve) => {
        read = resolve;
      });
      for await (const _ of requests);
      return {};
    });
    for (let id = 0; id < 16; id++) listener.onMessage(message(id));
    expect(stream.log).toEqual(["pause"]);
    read();
    await vi.waitFor(() => expect(stream.log).toEqual(["pause", "resume"]));
    listener.onEnd?.();
    await vi.waitFor(() => expect(stream.log).toEqual(["pause", "resume", "end"]));
  });

  test("bidi: goes on with what was not read when the handler stops reading, and ends when it ends", async () => {
    const { stream, listener } = start("bidi_streaming", async function* (requests: AsyncIterable<unknown>) {
      for await (const request of requests) {
        yield request;
        break;
      }
      yield "last";
    });
    for (let id = 0; id < 20; id++) listener.onMessage(message(id));
    await vi.waitFor(() => expect(stream.log.at(-1)).toBe("end"));
    expect(stream.log).toEqual(["pause", "resume", "end"]);
    expect(stream.sent).toEqual([{ id: 0 }, "last"]);
  });

  test("server streaming: waits while the client does not read, and stops when it is gone", async () => {
    let yielded = 0;
    let returned = false;
    const { stream, listener } = start("server_streaming", async function* () {
      try {
        for (;;) yield ++yielded;
      } finally {
        returned = true;
      }
    });
    stream.room = 3;
    listener.onMessage(message(1));
    listener.onEnd?.();
    await vi.waitFor(() => expect(stream.sent).toEqual([1, 2, 3]));
    await new Promise(setImmediate);
    expect(yielded).toBe(3);
    stream.room = 5;
    listener.onDrain?.();
    await vi.waitFor(() => expect(stream.sent).toEqual([1, 2, 3, 4, 5]));
    stream.open = false;
    listener.onClose?.();
    await vi.waitFor(() => expect(returned).toBe(true));
    expect(yielded).toBe(5);
  });

  test("requests fail with the reason of the signal when the call is over before its client has said all", async () => {
    const failed = vi.fn();
    const { abort } = start("client_streaming", async (requests: AsyncIterable<unknown>) => {
      for await (const _ of requests);
    });
    const second = start("bidi_streaming", async function* (requests: AsyncIterable<unknown>) {
      try {
        for await (const _ of requests) yield _;
      } catch (error) {
        failed(error);
      }
    });
    abort("gone");
    second.abort("gone");
    await vi.waitFor(() => expect(failed).toHaveBeenCalledWith("gone"));
  });
});
