import { create } from "@bufbuild/protobuf";
import {
  AttemptCommandSchema,
  AttemptResultSchema,
  type WorkRequest,
  WorkRequestSchema,
  type WorkResponse,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { decideClosed, decideFrame, decideHello } from "@runlane/queue/testing/simulated.js";
import { leaseMs, Oracle } from "../oracle/oracle.js";
import { promise } from "../oracle/violation.js";
import { Batches } from "./batches.js";
import { Chance } from "./chance.js";
import { Clients } from "./clients.js";
import { RunningCode } from "./code.js";
import { Governors } from "./governors.js";
import type { Command } from "./kinds.js";
import { SimulatedOwner } from "./owner.js";
import type { Build, Setting } from "./setting.js";
import { Tokens } from "./tokens.js";
import { nameOf, type Sent, SimulatedWorker } from "./worker.js";

/** Runs that a history may hold; more would make it slow and show nothing new. */
const mostRuns = 90;
const executor = "executor";
/** How often workers show that they live. */
const beatMs = 3_000;
/** The same while no frame gets lost: as seldom as their leases allow. */
const calmBeatMs = 9_000;

/** Everything around the engine: clients, workers and the streams between, time, and an owner that may die. What happens is told to it command by command. */
export class World {
  readonly oracle = new Oracle();
  readonly owner: SimulatedOwner;
  readonly #setting: Setting;
  readonly #clients: Clients;
  readonly #code: RunningCode;
  readonly #batches: Batches;
  readonly #governors: Governors;
  readonly #waitTokens: Tokens;
  readonly #workers: SimulatedWorker[] = [];
  readonly #late: { readonly streamId: string; readonly sequence: number; readonly request: WorkRequest }[] = [];
  /** Tokens of all attempts there were. */
  readonly #tokens: Uint8Array[] = [];
  #streams = 0;
  #faults: number;

  constructor(seed: number, setting: Setting) {
    this.#setting = setting;
    this.#faults = setting.faults;
    this.owner = new SimulatedOwner(this.oracle, new Chance(seed + 1), (streamId, message) => this.#deliver(streamId, message));
    this.#clients = new Clients(this.owner, setting);
    this.#batches = new Batches(this.owner, setting, (chance) => this.#clients.item(chance));
    this.#governors = new Governors(this.owner, setting);
    this.#waitTokens = new Tokens(this.owner);
    this.#code = new RunningCode({
      send: (worker, frame, chance) => this.#send(worker, frame, chance),
      item: (chance) => this.#clients.item(chance),
      part: (chance) => this.#batches.part(chance),
      tokenId: (chance) => this.#waitTokens.id(chance),
      mayTrigger: () => this.oracle.model.nextRun < mostRuns,
    });
  }

  /** Lets something happen. */
  happen([kind, how]: Command): void {
    const chance = new Chance(how);
    const { owner } = this;
    switch (kind) {
      case "trigger":
        if (this.oracle.model.nextRun < mostRuns) this.#clients.trigger(chance);
        break;
      case "repeat":
        this.#clients.repeat(chance);
        break;
      case "cancel":
        this.#clients.cancel(chance);
        break;
      case "promote":
        this.#clients.promote(chance);
        break;
      case "reschedule":
        this.#clients.reschedule(chance);
        break;
      case "endKey":
        this.#clients.endKey(chance);
        break;
      case "batch":
        if (this.oracle.model.nextRun < mostRuns) this.#batches.send(chance);
        break;
      case "readBatch":
        this.#batches.read(chance);
        break;
      case "govern":
        this.#governors.govern(chance);
        break;
      case "subscribe":
        this.#clients.subscribe(chance);
        break;
      case "accept":
      case "decline":
      case "succeed":
      case "fail":
      case "release":
      case "spawn":
      case "wait":
      case "waitOn":
      case "update":
      case "waitTime":
      case "waitToken":
      case "record":
      case "confirm": {
        const worker = this.#connected(chance);
        if (worker) this.#code.act(kind, worker, chance);
        break;
      }
      case "heartbeat": {
        const worker = this.#connected(chance);
        if (worker) this.#send(worker, worker.heartbeat(owner.monotonic), chance);
        break;
      }
      case "connect":
        this.#connect(chance);
        break;
      case "die": {
        const worker = chance.of(this.#workers);
        if (!worker) break;
        if (chance.is(0.5)) this.#close(worker, false);
        this.#workers.splice(this.#workers.indexOf(worker), 1);
        // The launcher starts it again, or it is gone for ever.
        if (chance.is(0.7))
          this.#workers.push(new SimulatedWorker(worker.id, worker.incarnation + 1, worker.build, worker.slots, worker.capacity, worker.journal));
        break;
      }
      case "close": {
        const worker = this.#connected(chance);
        if (worker) this.#close(worker, worker.draining);
        break;
      }
      case "drain": {
        const worker = this.#connected(chance);
        if (!worker) break;
        worker.draining = true;
        this.#send(worker, { drain: {} }, chance);
        break;
      }
      case "late": {
        const [frame] = this.#late.splice(chance.below(this.#late.length), 1);
        if (frame) this.#arrive(frame.streamId, frame.sequence, frame.request);
        break;
      }
      case "mischief":
        this.#mischief(chance);
        break;
      case "moment":
        this.#advance(chance.below(chance.of([5, 200, 1_500])), true);
        break;
      case "seconds":
        this.#advance(chance.of([1_000, 5_000, 9_000, 31_000]), true);
        break;
      case "minutes":
        this.#advance(chance.of([60_000, 120_000]), true);
        break;
      case "silence":
        this.#advance(chance.of([9_999, 10_000, 12_000]), false);
        break;
      case "hours":
        this.#advance(chance.of([6 * 60_000, 3_600_000, 26 * 3_600_000, 8 * 24 * 3_600_000]), false);
        break;
      case "clock":
        owner.wall += chance.of([-5_000, -60_000, 700, 20_000]);
        break;
      case "token":
        this.#waitTokens.happen(chance);
        break;
      case "crash":
        owner.crash(chance.of(["undecided", "unsaid", "clean"]));
        for (const worker of this.#workers) worker.mustHello = true;
        break;
    }
    if (chance.is(this.#setting.promptness)) owner.commit();
    else if (chance.is(0.3)) owner.seal();
  }

  /** Lets everything come to its end, with workers that have everything and no faults. */
  settle(): void {
    this.#faults = 0;
    this.#workers.length = 0;
    this.#late.length = 0;
    // Old ones stay away until their leases have ended.
    this.#advance(leaseMs + 1_000, false);
    this.#governors.letGo();
    this.#waitTokens.completeAll();
    const chance = new Chance(1);
    const { builds, last } = this.#setting;
    for (const build of [...builds.map(({ id }) => ({ ...(last[0] as Build), id })), ...last]) {
      this.#workers.push(new SimulatedWorker(`settler of ${build.id}`, 1, build, 50, { milliCpus: 32_000, memoryMib: 64_000 }, this.#setting.waiting));
    }
    for (const worker of this.#workers) this.#sayHello(worker);
    this.owner.commit();
    for (let round = 0; round < 1_000; round++) {
      const attempts = this.#workers.flatMap((worker) => [...worker.attempts.values()].map((attempt) => ({ worker, attempt })));
      let busy = false;
      for (const { worker, attempt } of attempts) busy = this.#code.end(worker, attempt, chance) || busy;
      this.owner.commit();
      if ([...this.oracle.model.runs.values()].every(({ place }) => place === "over")) break;
      if (busy) continue;
      // Who has nothing to do waits for what is due.
      for (const worker of this.#workers) this.#send(worker, worker.heartbeat(this.owner.monotonic), chance);
      const behind = Math.max(0, this.owner.durable.now - this.owner.wall);
      this.#advance(Math.min(Math.max(1, behind + (this.owner.nextDue() ?? 1_000)), 60_000), true, calmBeatMs);
    }
    this.oracle.end();
    this.#batches.readAll();
    this.owner.compare();
  }

  #connected(chance: Chance): SimulatedWorker | undefined {
    return chance.of(this.#workers.filter(({ streamId }) => streamId !== undefined));
  }

  #connect(chance: Chance): void {
    let worker = this.#workers.length > 0 && chance.is(0.5) ? chance.of(this.#workers) : undefined;
    if (!worker) {
      const id = `worker ${chance.below(3)}`;
      worker = this.#workers.find((each) => each.id === id);
      const before = this.oracle.model.sessions.values();
      const incarnation = 1 + Math.max(0, ...[...before].filter(({ workerId }) => workerId === id).map((session) => Number(session.incarnation)));
      if (worker && chance.is(0.3)) this.#workers.splice(this.#workers.indexOf(worker), 1);
      if (!worker || !this.#workers.includes(worker)) {
        worker = new SimulatedWorker(
          id,
          Math.max(incarnation, (worker?.incarnation ?? 0) + 1),
          chance.of(this.#setting.builds),
          1 + chance.below(4),
          chance.of(this.#setting.capacities),
          this.#setting.waiting,
        );
        this.#workers.push(worker);
      }
    }
    worker.mustHello = true;
    if (chance.is(0.5)) worker.streamId = undefined;
    this.#sayHello(worker);
  }

  #sayHello(worker: SimulatedWorker): void {
    const { owner } = this;
    worker.mind(owner.monotonic, leaseMs);
    this.#streams += worker.streamId === undefined ? 1 : 0;
    const streamId = worker.streamId ?? `stream ${this.#streams}`;
    worker.streamId = streamId;
    worker.sent = 1;
    worker.missed = false;
    worker.mustHello = true;
    const hello = worker.hello(owner.monotonic);
    owner.decide(
      (step) => decideHello(step, hello, { environment: owner.environment, streamId, executor, leaseMs }),
      () => ({ kind: "hello", streamId, hello }),
    );
  }

  /** A worker sends a frame; on its way it may get lost, late or doubled. */
  #send(worker: SimulatedWorker, frame: Sent, chance: Chance): void {
    if (worker.streamId === undefined || worker.mustHello) return this.#sayHello(worker);
    const request = create(WorkRequestSchema, frame);
    worker.sent += 1;
    const { streamId, sent } = worker;
    if (!chance.is(this.#faults)) return this.#arrive(streamId, sent, request);
    const fault = chance.of(["lost", "late", "doubled"]);
    if (fault === "late") this.#late.push({ streamId, sequence: sent, request });
    if (fault !== "doubled") return;
    this.#arrive(streamId, sent, request);
    this.#arrive(streamId, sent, request);
  }

  /** A frame arrives at the owner, which takes those that follow each other. */
  #arrive(streamId: string, sequence: number, request: WorkRequest): void {
    const connection = this.owner.volatile.streams.get(streamId);
    if (!connection) return this.#askHello(streamId);
    connection.received += 1;
    if (sequence !== connection.received) {
      this.owner.decide(
        () => {
          connection.open = false;
          this.owner.volatile.streams.delete(streamId);
        },
        () => ({ kind: "closed", streamId, goodbye: false }),
      );
      return this.#askHello(streamId);
    }
    this.owner.decide(
      (step) => decideFrame(step, connection, request),
      () => ({ kind: "frame", streamId, request }),
    );
  }

  #askHello(streamId: string): void {
    for (const worker of this.#workers) if (worker.streamId === streamId) worker.mustHello = true;
  }

  #close(worker: SimulatedWorker, goodbye: boolean): void {
    const { streamId } = worker;
    worker.streamId = undefined;
    worker.mustHello = true;
    const connection = streamId === undefined ? undefined : this.owner.volatile.streams.get(streamId);
    if (!connection || streamId === undefined) return;
    this.owner.decide(
      (step) => decideClosed(step, connection),
      () => ({ kind: "closed", streamId, goodbye: goodbye || connection.draining }),
    );
  }

  #deliver(streamId: string, message: WorkResponse): void {
    const worker = this.#workers.find((each) => each.streamId === streamId);
    for (const { token } of message.assignments) this.#tokens.push(token);
    if (!worker) return;
    if (worker.missed && !message.welcome) {
      worker.mustHello = true;
      return;
    }
    if (this.#faults > 0 && this.owner.monotonic % 100 < this.#faults * 100 && !message.welcome) {
      worker.missed = true;
      return;
    }
    if (!worker.take(message)) return;
    const again = worker.repeated();
    if (again) this.#send(worker, again, new Chance(0));
  }

  /** Says something with any token that there ever was, from any worker. */
  #mischief(chance: Chance): void {
    const worker = this.#connected(chance);
    const token = chance.of(this.#tokens);
    // What it says of what it really has is said by the others.
    if (!worker || !token || worker.attempts.has(nameOf(token)) || worker.mustHello) return;
    const frames: Sent[] = [
      { accepted: [token] },
      { declined: [{ token }] },
      { results: [create(AttemptResultSchema, { token })] },
      { results: [create(AttemptResultSchema, { token, outcome: { case: "release", value: {} } })] },
      { cancelConfirmed: [token] },
      { commands: [create(AttemptCommandSchema, { token, commandId: 9, command: { case: "trigger", value: { items: [this.#clients.item(chance)] } } })] },
    ];
    this.#send(worker, chance.of(frames), chance);
  }

  /** Lets time pass; the owner is woken when it wants to be. */
  #advance(ms: number, alive: boolean, beat = beatMs): void {
    const { owner } = this;
    owner.commit();
    const until = owner.monotonic + ms;
    let nextBeat = alive ? owner.monotonic + beat : Number.POSITIVE_INFINITY;
    for (let wakes = 0; ; wakes++) {
      promise(wakes < 1_000, () => "the engine wants to be woken again and again");
      const due = owner.monotonic + (owner.nextDue() ?? Number.POSITIVE_INFINITY);
      const next = Math.min(due, nextBeat, until);
      owner.wall += next - owner.monotonic;
      owner.monotonic = next;
      if (due <= next) owner.tick();
      if (next >= until) break;
      if (next < nextBeat) continue;
      nextBeat += beat;
      for (const worker of this.#workers) if (worker.streamId !== undefined) this.#send(worker, worker.heartbeat(owner.monotonic), new Chance(next));
      owner.commit();
    }
    for (const worker of this.#workers) worker.mind(owner.monotonic, leaseMs);
    owner.commit(true);
  }
}
