import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { DebounceMode } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { RescheduleRunRequestSchema } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { CreateTokenRequestSchema } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import fc from "fast-check";
import { decideCancel } from "../engine/decide-cancel.js";
import { decideClosed } from "../engine/decide-frame.js";
import { decideRecordPayload } from "../engine/decide-payload.js";
import { decideKeyEnd, decideReschedule } from "../engine/decide-reschedule.js";
import { decideCompleteToken, decideCreateToken } from "../engine/decide-token.js";
import { decidePromote } from "../engine/decide-version.js";
import { phases } from "../engine/phase.js";
import { batchIdOf, tokenIdOf } from "../engine/run-id.js";
import { tokenOf } from "../engine/token.js";
import { type EngineHarness, type HarnessWorker, item } from "./engine-harness.js";
import { flowKinds, flowOf, happenToFlow, isFlowKind, liftFlow } from "./random-flow.js";

/** One thing that happens; the numbers pick whom it happens to. */
export type Happening = { readonly kind: (typeof kinds)[number]; readonly a: number; readonly b: number };

const kinds = [
  "trigger",
  "accept",
  "succeed",
  "fail",
  "retry",
  "decline",
  "wait",
  "goOn",
  "cancel",
  "confirm",
  "advance",
  "lapse",
  "connect",
  "restartWorker",
  "close",
  "restart",
  "storePayload",
  "triggerStored",
  "succeedStored",
  "hours",
  "triggerBound",
  "triggerMachine",
  "outOfMemory",
  "update",
  "promote",
  "drain",
  "minutes",
  "triggerLater",
  "triggerKeyed",
  "debounce",
  "triggerBatch",
  "reschedule",
  "waitKeyed",
  "endKey",
  "replay",
  "createToken",
  "completeToken",
  "waitToken",
  "waitTime",
  ...flowKinds,
] as const;

/** Any of them. */
export const happening: fc.Arbitrary<Happening> = fc.record({ kind: fc.constantFrom(...kinds), a: fc.nat(1_000), b: fc.nat(1_000) });

const tasks = [
  { id: "one", concurrencyLimit: 1 },
  { id: "free", concurrency: { perKey: 2, limits: ["shared"] } },
  { id: "x", queue: "three", concurrencyLimit: 3 },
  { id: "y", queue: "three" },
  { id: "large", machine: "small-2x" },
];
/** What the workers of the world have for attempts with a machine. */
const capacities = [undefined, { milliCpus: 1_000, memoryMib: 1_024 }, { milliCpus: 2_500, memoryMib: 3_000 }];
const presets = ["micro", "small-1x", "medium-1x", "large-2x"];

const taskOf = (a: number) => tasks[a % tasks.length]!.id;
const keyNameOf = (b: number) => `k${b % 4}`;

function keyed(a: number, b: number) {
  return item(taskOf(a), { key: keyNameOf(b), maxAttempts: 1 + (b % 2), ...(b % 3 === 0 ? { keyTtlMs: b * 100 + 1 } : {}) });
}

/** A trigger that is collected; its data are by reference now and then. */
function debounced(a: number, b: number, reference: string | undefined) {
  const mode = b % 2 === 0 ? DebounceMode.TRAILING : DebounceMode.LEADING;
  const bound = b % 5 === 0 ? { maxDelayMs: 30_000 } : {};
  const debounce = { key: `d${b % 2}`, delayMs: 1_000 + (b % 20) * 1_000, mode, ...bound };
  return item(taskOf(a), { debounce, tags: [`t${b % 5}`], payload: String(b), ...(b % 3 === 0 && reference ? { reference } : {}) });
}

/** Workers, and what happens to them. Drives the engine through its frames alone. */
export class RandomWorld {
  readonly #harness: EngineHarness;
  readonly #workers: { worker: HarnessWorker; id: string; incarnation: number }[] = [];
  #commands = 0;

  constructor(harness: EngineHarness) {
    this.#harness = harness;
  }

  happen({ kind, a, b }: Happening): void {
    const harness = this.#harness;
    const runs = [...harness.durable.runs.values()];
    const run = runs[a % Math.max(1, runs.length)];
    const held = runs.filter((each) => each.session && harness.volatile.connections.get(each.session)?.open);
    const target = held[a % Math.max(1, held.length)];
    const entry = target && this.#workers.find(({ worker }) => worker.connection === harness.volatile.connections.get(target.session!));
    const worker = entry?.worker;
    const tokens = [...harness.environment.tokens.byNumber.values()];
    const payloads = [...harness.environment.payloads.keys()];
    const payload = payloads[b % Math.max(1, payloads.length)];
    if (isFlowKind(kind)) return happenToFlow(harness, kind, taskOf(b), a, b);
    switch (kind) {
      case "trigger":
        harness.trigger(tasks[a % tasks.length]!.id, 1 + (b % 4), { maxAttempts: 1 + (b % 3) });
        return;
      case "accept":
        if (worker && target) worker.send({ accepted: [tokenOf(target)] });
        return;
      case "succeed":
        if (worker && target) worker.succeed(tokenOf(target));
        return;
      case "fail":
        if (worker && target) worker.fail(tokenOf(target));
        return;
      case "retry":
        if (worker && target) worker.fail(tokenOf(target), (b % 50) * 1_000, b % 3 === 0 ? BigInt(a) : undefined);
        return;
      case "decline":
        if (worker && target) worker.send({ declined: [{ token: tokenOf(target) }] });
        return;
      case "wait": {
        if (!worker || !target || harness.durable.runs.size > 200) return;
        this.#commands += 1;
        const items = Array.from({ length: 1 + (b % 3) }, (_, i) => item(tasks[(a + i) % tasks.length]!.id, { maxAttempts: 1 }));
        worker.send({
          commands: [{ token: tokenOf(target), commandId: this.#commands, command: { case: "triggerAndWait", value: { waitId: this.#commands, items } } }],
        });
        return;
      }
      case "goOn": {
        if (!worker || !target) return;
        this.#commands += 1;
        const openWaits = [...(target.waits ?? [])].filter(([, wait]) => wait.pending > 0).map(([id]) => id);
        worker.send({ commands: [{ token: tokenOf(target), commandId: this.#commands, command: { case: "continueWaiting", value: { openWaits } } }] });
        return;
      }
      case "cancel":
        if (run && !phases[run.phase].final) harness.step((step) => decideCancel(step, run, "test"));
        return;
      case "confirm":
        if (worker && target) worker.send({ cancelConfirmed: [tokenOf(target)] });
        return;
      case "advance":
        harness.advance(a * 20);
        return;
      case "lapse":
        harness.advance(10_000);
        return;
      case "connect":
        return this.#connect(`w${a % 3}`, 1 + (b % 4));
      case "restartWorker":
        if (entry) {
          entry.incarnation += 1;
          this.#connect(entry.id, 1 + (b % 4));
        }
        return;
      case "close":
        if (worker?.connection?.open) harness.step((step) => decideClosed(step, worker.connection!));
        return;
      case "restart":
        harness.restart();
        return;
      case "storePayload":
        harness.step((step) => decideRecordPayload(step, harness.environment, `pay_${a % 20}`, 200_000n));
        return;
      case "triggerStored":
        if (payload) harness.trigger(tasks[a % tasks.length]!.id, 1, { reference: payload });
        return;
      case "succeedStored":
        if (worker && target && payload) worker.send({ results: [{ token: tokenOf(target), outcome: { case: "output", value: { reference: payload } } }] });
        return;
      case "hours":
        harness.advance(a * 10_000);
        return;
      case "triggerBound": {
        const versions = [...harness.environment.versions.byNumber.keys()];
        const version = versions[b % Math.max(1, versions.length)];
        if (version) harness.trigger(tasks[a % tasks.length]!.id, 1, { version });
        return;
      }
      case "triggerMachine":
        harness.trigger(tasks[a % tasks.length]!.id, 1 + (b % 3), { machine: presets[b % presets.length]!, tags: [`t${a % 3}`], metadata: '{"count":1}' });
        return;
      case "outOfMemory":
        if (worker && target) worker.outOfMemory(tokenOf(target), presets[b % presets.length]!);
        return;
      case "update": {
        if (!worker || !target) return;
        this.#commands += 1;
        const metadata = [{ target: b % 4, key: "$.count", operation: { case: "increment" as const, value: 1 } }];
        const value = { addTags: b % 2 === 0 ? [`t${b % 5}`] : [], metadata };
        worker.send({ commands: [{ token: tokenOf(target), commandId: this.#commands, command: { case: "updateRun", value } }] });
        return;
      }
      case "promote": {
        const versions = [...harness.environment.versions.byNumber.values()];
        const version = versions[a % Math.max(1, versions.length)];
        if (version) harness.step((step) => decidePromote(step, harness.environment, version));
        return;
      }
      case "drain":
        if (worker?.connection?.open) worker.send({ drain: {} });
        return;
      case "minutes":
        harness.advance(b * 1_000);
        return;
      case "triggerLater":
        harness.trigger(taskOf(a), 1 + (b % 2), {
          delayMs: (b % 7) * 4_000,
          ttlSeconds: b % 3 === 0 ? b : a % 20,
          test: b % 4 === 0,
          prioritySeconds: (b % 5) - 2,
        });
        return;
      case "triggerKeyed":
        harness.triggerItems([0, 1].map((i) => keyed(a + i, b)));
        return;
      case "debounce":
        harness.triggerItems([0, 1].map((i) => debounced(a, b + i, payload)));
        return;
      case "triggerBatch": {
        const open = [...harness.durable.batches.byNumber.values()].at(-1);
        const items = [keyed(a, b), item(taskOf(b)), item(taskOf(a), { version: "20200101.1" }), debounced(a, b, payload)].slice(0, b % 5);
        const firstIndex = a % 3 === 0 || !open ? 0 : Math.max(0, open.size - (b % 3));
        const batchId = a % 3 === 0 || !open ? "" : batchIdOf(harness.environment, open.number);
        const named = a % 6 === 0 ? { idempotencyKey: { key: `b${b % 3}` } } : {};
        harness.batch(items, { batchId, firstIndex, seal: b % 2 === 0, ...named }, b % 7 === 0 ? `r${a % 5}` : "");
        return;
      }
      case "reschedule": {
        const deferred = runs.filter((each) => each.phase === "deferred");
        const moved = deferred[a % Math.max(1, deferred.length)];
        const delay = { case: "delayFor" as const, value: durationFromMs((b % 9) * 5_000) };
        if (moved) harness.step((step) => decideReschedule(step, moved, create(RescheduleRunRequestSchema, { delay })));
        return;
      }
      case "waitKeyed": {
        if (!worker || !target || harness.durable.runs.size > 200) return;
        this.#commands += 1;
        const items = [keyed(a, b), keyed(a, b), ...(b % 2 === 0 ? [item(taskOf(a), { maxAttempts: 1 })] : [])];
        const batch = b % 3 === 0 ? { batch: { seal: true } } : {};
        const value = { waitId: this.#commands, items, ...batch };
        worker.send({ commands: [{ token: tokenOf(target), commandId: this.#commands, command: { case: "triggerAndWait", value } }] });
        return;
      }
      case "createToken": {
        const timeout = b % 3 === 0 ? {} : { timeout: durationFromMs((b % 40) * 1_000 + 1) };
        const key = b % 2 === 0 ? {} : { idempotencyKey: keyNameOf(a), idempotencyKeyTtl: durationFromMs(a * 50 + 1) };
        const request = create(CreateTokenRequestSchema, {
          ...timeout,
          ...key,
          tags: [`t${a % 3}`],
          timer: b % 5 === 0,
          requestId: a % 4 === 0 ? `r${b % 6}` : "",
        });
        harness.step((step) => void decideCreateToken(step, harness.environment, request, `s${a}`));
        return;
      }
      case "completeToken": {
        const token = tokens[a % Math.max(1, tokens.length)];
        const output = create(PayloadSchema, payload && b % 3 === 0 ? { reference: payload } : { data: new TextEncoder().encode(String(b)) });
        if (token) harness.step((step) => void decideCompleteToken(step, harness.environment, token, b % 4 === 0 ? undefined : output));
        return;
      }
      case "waitToken":
      case "waitTime": {
        const token = tokens[b % Math.max(1, tokens.length)];
        if (!worker || !target || (kind === "waitToken" && !token)) return;
        this.#commands += 1;
        const condition =
          kind === "waitToken"
            ? { case: "tokenId" as const, value: tokenIdOf(harness.environment, token!.number) }
            : { case: "forMs" as const, value: BigInt(b * 20) };
        worker.send({
          commands: [{ token: tokenOf(target), commandId: this.#commands, command: { case: "wait", value: { waitId: this.#commands, condition } } }],
        });
        return;
      }
      case "endKey":
        harness.step((step) => decideKeyEnd(step, harness.environment, taskOf(a), keyNameOf(b)));
        return;
      case "replay":
        if (run) harness.triggerItems([item(run.taskId)], { replayOf: run.number });
        return;
    }
  }

  /** Lets everything come to its end: a good worker, and time. */
  settle(): void {
    const harness = this.#harness;
    liftFlow(harness);
    for (const token of harness.environment.tokens.byNumber.values())
      harness.step((step) => void decideCompleteToken(step, harness.environment, token, undefined));
    for (let round = 0; round < 2_000; round++) {
      harness.advance(10_000);
      // Old versions do not come back: what is bound to them moves on after a while, and what is newer than the current one is brought by nobody.
      const newest = [...harness.environment.versions.byNumber.values()].at(-1);
      if (newest) harness.step((step) => decidePromote(step, harness.environment, newest));
      this.#connect("settler", 50, { milliCpus: 32_000, memoryMib: 64_000 }, "settled");
      for (let more = true; more; ) {
        more = false;
        for (const run of [...harness.durable.runs.values()]) {
          const worker = run.session && this.#workers.find(({ worker: each }) => each.connection === harness.volatile.connections.get(run.session!))?.worker;
          if (!worker?.connection?.open) continue;
          if (run.phase === "waiting" || run.phase === "resumable") continue;
          more = true;
          worker.succeed(tokenOf(run));
        }
      }
      if ([...harness.durable.runs.values()].every((run) => phases[run.phase].settled)) return;
    }
  }

  #connect(id: string, slots: number, capacity = capacities[slots % capacities.length], buildId = `build${slots % 3}`): void {
    let entry = this.#workers.find((each) => each.id === id);
    const held = [...this.#harness.durable.runs.values()]
      .filter((run) => run.session?.workerId === id && run.phase !== "assigned")
      .map((run) => ({ token: tokenOf(run), openWaits: [...(run.waits ?? [])].filter(([, wait]) => !wait.delivered).map(([wait]) => wait) }));
    const worker = this.#harness.connect({
      id,
      incarnation: entry?.incarnation ?? 1,
      slots,
      tasks,
      buildId,
      ...flowOf(buildId),
      held: held as never,
      ...(capacity ? { capacity } : {}),
    });
    entry ??= { worker, id, incarnation: 1 };
    entry.worker = worker;
    if (!this.#workers.includes(entry)) this.#workers.push(entry);
  }
}
