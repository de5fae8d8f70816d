import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FramePipe } from "./frame-pipe.js";

/** A stream that notes what is written to it. */
class Recorder extends Duplex {
  readonly written: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    done();
  }
}

test("frames arrive whole and in order, however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (frames, cuts) => {
      const sender = new Recorder();
      const pipe = new FramePipe(sender, () => {});
      for (const frame of frames) pipe.send(frame);
      const bytes = Buffer.concat(sender.written);
      const received: number[][] = [];
      const receiver = new Recorder();
      new FramePipe(receiver, (frame) => received.push([...frame]));
      for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
        const end = at + cuts[cut % cuts.length]!;
        receiver.emit("data", bytes.subarray(at, end));
        at = end;
      }
      expect(received).toEqual(frames.map((frame) => [...frame]));
    }),
  );
});

test("a length that no frame has is not waited for", () => {
  const receiver = new Recorder();
  new FramePipe(receiver, () => {});
  expect(() => receiver.emit("data", Buffer.from([0xff, 0xff, 0xff, 0xff, 0]))).toThrow(/carries none as long/);
});
