import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Owner, reasonOf } from "@runlane/platform";
import { ErrorInfoSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import { OwnerFrameSchema } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { beforeEach, describe, expect, test } from "vitest";
import { heartbeat, hello, ownerFrame, request } from "./testing/frames.js";
import { WorkerDouble } from "./testing/worker-double.js";
import { mostFrameBytes, type RelayedFrame, WorkerStream } from "./worker-stream.js";

const first: Owner = { epoch: 7n, address: "owner.0.7" };
const second: Owner = { epoch: 9n, address: "owner.0.9" };

let relayed: RelayedFrame[];
let link: { owner: Owner | undefined; relay(stream: WorkerStream, frame: RelayedFrame): void; forget(stream: WorkerStream): void };
let forgotten: WorkerStream[];
let worker: WorkerDouble;
let stream: WorkerStream;

beforeEach(() => {
  relayed = [];
  forgotten = [];
  link = { owner: first, relay: (_, frame) => void relayed.push(frame), forget: (gone) => void forgotten.push(gone) };
  worker = new WorkerDouble();
  stream = new WorkerStream("s1", "dev", worker, link);
});

const welcome = { welcome: { protocolRevision: 1, sessionId: "x" } };
const fromOwner = (sequence: number, response: Parameters<typeof ownerFrame>[2], epoch = first.epoch) =>
  stream.fromOwner(epoch, ownerFrame("s1", sequence, response));
const endFromOwner = (end: { code: number; message: string; reason: string }, epoch = first.epoch) =>
  stream.fromOwner(epoch, create(OwnerFrameSchema, { streamId: "s1", end }));
const heardKinds = () =>
  worker.heard.map((response) => (response.helloAgain ? "hello_again" : response.welcome ? "welcome" : response.heartbeat ? "heartbeat" : "other"));

function open(): void {
  stream.onMessage(hello);
  fromOwner(1, welcome);
  relayed.length = 0;
  worker.heard.length = 0;
}

describe("a stream that begins", () => {
  test("must begin with a Hello", () => {
    expect(() => stream.onMessage(heartbeat(1))).toThrow(ConnectError);
    expect(relayed).toEqual([]);
  });

  test("passes the Hello on as it came, with the environment and as number 1", () => {
    stream.onMessage(hello);
    expect(relayed).toEqual([{ streamId: "s1", sequence: 1n, environment: "dev", frame: hello, closed: false }]);
    expect(stream.state).toBe("greeting");
  });

  test("is open once the Welcome has passed", () => {
    stream.onMessage(hello);
    fromOwner(1, welcome);
    expect(heardKinds()).toEqual(["welcome"]);
    expect(stream.state).toBe("open");
  });

  test("answers nothing while there is no owner, and asks for a Hello when one appears", () => {
    link.owner = undefined;
    stream.onMessage(hello);
    stream.onMessage(heartbeat(1));
    expect([worker.heard, worker.open, relayed]).toEqual([[], true, []]);
    link.owner = first;
    stream.ownerChanged(first);
    expect(heardKinds()).toEqual(["hello_again"]);
  });
});

describe("an open stream", () => {
  beforeEach(open);

  test("passes frames on undecoded and counts them", () => {
    const noise = Buffer.from([0xff, 0xff]);
    stream.onMessage(heartbeat(1));
    stream.onMessage(noise);
    expect(relayed.map(({ sequence, frame, environment }) => [sequence, frame, environment])).toEqual([
      [2n, heartbeat(1), ""],
      [3n, noise, ""],
    ]);
  });

  test("passes the owner's frames on in their order", () => {
    fromOwner(2, { heartbeat: { sequence: 1n } });
    fromOwner(3, { heartbeat: { sequence: 2n } });
    expect(worker.heard.map((response) => response.heartbeat?.sequence)).toEqual([1n, 2n]);
  });

  test("that misses a frame of the owner asks for a Hello and is deaf, both ways, until it comes", () => {
    fromOwner(3, { heartbeat: { sequence: 2n } });
    expect(heardKinds()).toEqual(["hello_again"]);
    fromOwner(4, { heartbeat: { sequence: 3n } });
    stream.onMessage(heartbeat(4));
    expect([heardKinds(), relayed]).toEqual([["hello_again"], []]);
    stream.onMessage(hello);
    expect(relayed.map(({ sequence, frame }) => [sequence, frame])).toEqual([[1n, hello]]);
  });

  test("drops what the owner sent before the new Welcome", () => {
    stream.onMessage(hello);
    fromOwner(2, { heartbeat: { sequence: 1n } });
    expect(worker.heard).toEqual([]);
    fromOwner(1, welcome);
    fromOwner(2, { heartbeat: { sequence: 5n } });
    expect(heardKinds()).toEqual(["welcome", "heartbeat"]);
  });

  test("asks for a Hello when the owner is another, and hears the old one no more", () => {
    link.owner = second;
    stream.ownerChanged(second);
    fromOwner(2, { heartbeat: { sequence: 1n } });
    expect(heardKinds()).toEqual(["hello_again"]);
    stream.onMessage(hello);
    fromOwner(1, welcome, first.epoch);
    expect(stream.state).toBe("greeting");
    fromOwner(1, welcome, second.epoch);
    expect(heardKinds()).toEqual(["hello_again", "welcome"]);
  });

  test("stays, silent, while nobody owns the partition", () => {
    link.owner = undefined;
    stream.ownerChanged(undefined);
    stream.onMessage(heartbeat(1));
    stream.onMessage(hello);
    stream.sweep();
    expect([worker.heard, worker.open, relayed]).toEqual([[], true, []]);
  });

  test("whose frame did not leave asks for a Hello at the next sweep, if there is an owner", () => {
    stream.unsent();
    expect(worker.heard).toEqual([]);
    stream.sweep();
    expect(heardKinds()).toEqual(["hello_again"]);
  });

  test("asks for a Hello when the owner does, outside the count", () => {
    fromOwner(0, { helloAgain: true });
    fromOwner(0, { helloAgain: true });
    stream.onMessage(heartbeat(1));
    stream.onMessage(hello);
    expect(heardKinds()).toEqual(["hello_again"]);
    expect(relayed.map(({ sequence }) => sequence)).toEqual([1n]);
  });

  test("checks every Hello", () => {
    expect(() => stream.onMessage(request({ hello: { protocolRevision: 1 } }))).toThrow("hello.worker_id");
  });

  test("refuses a frame that could not travel on", () => {
    const frame = Buffer.alloc(mostFrameBytes + 1, 0x12);
    expect(() => stream.onMessage(frame)).toThrow(ConnectError);
    expect(relayed).toEqual([]);
  });

  test("tells the owner when the worker is gone", () => {
    stream.onMessage(heartbeat(1));
    stream.onClose();
    expect(relayed.at(-1)).toEqual({ streamId: "s1", sequence: 3n, environment: "", frame: new Uint8Array(), closed: true });
    expect(forgotten).toEqual([stream]);
  });

  test("does not tell an owner that never knew it", () => {
    link.owner = second;
    stream.ownerChanged(second);
    stream.onClose();
    expect(relayed).toEqual([]);
  });
});

describe("a Hello or Welcome that is lost", () => {
  test("is asked for again when the owner hears what follows it", () => {
    stream.onMessage(hello);
    fromOwner(0, { helloAgain: true });
    expect(heardKinds()).toEqual(["hello_again"]);
  });

  test("is asked for again after some sweeps", () => {
    stream.onMessage(hello);
    for (let i = 0; i < 5; i++) stream.sweep();
    expect(worker.heard).toEqual([]);
    stream.sweep();
    expect(heardKinds()).toEqual(["hello_again"]);
    stream.onMessage(hello);
    expect(stream.state).toBe("greeting");
  });
});

describe("a stream that the owner ends", () => {
  beforeEach(open);

  test("ends with that status and reason", () => {
    endFromOwner({ code: Code.Aborted, message: "a newer life has taken over", reason: "SESSION_SUPERSEDED" });
    const error = ConnectError.from(worker.endedWith);
    expect([error.code, error.rawMessage, reasonOf(error)]).toEqual([Code.Aborted, "a newer life has taken over", "SESSION_SUPERSEDED"]);
  });

  test("ends with a reason of a later version too", () => {
    endFromOwner({ code: Code.OutOfRange, message: "m", reason: "SOMETHING_NEW" });
    const error = ConnectError.from(worker.endedWith);
    expect(error.code).toBe(Code.OutOfRange);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "SOMETHING_NEW", domain: "runlane.dev" }]);
  });

  test("says nothing more to the owner", () => {
    endFromOwner({ code: Code.Aborted, message: "m", reason: "SESSION_SUPERSEDED" });
    stream.onMessage(heartbeat(1));
    stream.onClose();
    expect(relayed).toEqual([]);
    expect(forgotten).toEqual([stream]);
  });

  test("does not end by the word of an old owner", () => {
    endFromOwner({ code: Code.Unavailable, message: "m", reason: "DRAINING" }, 3n);
    expect(worker.open).toBe(true);
  });
});
