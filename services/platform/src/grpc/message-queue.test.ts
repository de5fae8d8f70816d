import { describe, expect, test, vi } from "vitest";
import { MessageQueue } from "./message-queue.js";

describe("a message queue", () => {
  test("gives messages in order, to readers that came before and after them", async () => {
    const queue = new MessageQueue<number>();
    const early = [queue.next(), queue.next()];
    queue.push(1);
    queue.push(2);
    queue.push(3);
    queue.end();
    expect(await Promise.all(early)).toEqual([
      { value: 1, done: false },
      { value: 2, done: false },
    ]);
    expect((await queue.next()).value).toBe(3);
    expect(await queue.next()).toEqual({ value: undefined, done: true });
  });

  test("tells an error once, after the messages before it, then ends", async () => {
    const queue = new MessageQueue<number>();
    queue.push(1);
    queue.end(new Error("broken"));
    queue.end(new Error("too late"));
    queue.push(2);
    expect((await queue.next()).value).toBe(1);
    await expect(queue.next()).rejects.toThrow("broken");
    expect((await queue.next()).done).toBe(true);
  });

  test("says when it is full, and when it is empty again", async () => {
    const onFull = vi.fn();
    const onEmpty = vi.fn();
    const queue = new MessageQueue<number>({ onFull, onEmpty });
    for (let i = 0; i < 40; i++) queue.push(i);
    expect(onFull).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 39; i++) await queue.next();
    expect(onEmpty).not.toHaveBeenCalled();
    await queue.next();
    expect(onEmpty).toHaveBeenCalledTimes(1);
  });

  test("ends when its reader stops, and forgets what was not read", async () => {
    const onReturn = vi.fn();
    const queue = new MessageQueue<number>({ onReturn });
    queue.push(1);
    queue.push(2);
    for await (const _ of queue) break;
    expect(onReturn).toHaveBeenCalledTimes(1);
    expect((await queue.next()).done).toBe(true);
  });
});
