import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient, type ServiceImpl } from "@connectrpc/connect";
import { refusal } from "@runlane/platform";
import {
  type NotifyRequestSchema,
  type OwnerService,
  type ReadTasksRequest,
  SubscriberService,
  type TriggerRunsRequest,
  type WatchRunsRequest,
} from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { type Run, RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { ServedOwner } from "@runlane/platform/testing/served-owner.js";

/**
 * An owner for tests: numbers the runs it is asked for (`run_1`, `run_2`, …), knows a request again by its id, keeps what it was asked, and tells its subscribers when a
 * test lets a run finish. Tests may replace any method.
 */
export class OwnerDouble extends ServedOwner {
  readonly triggers: TriggerRunsRequest[] = [];
  readonly watches: WatchRunsRequest[] = [];
  readonly taskReads: ReadTasksRequest[] = [];
  readonly runs = new Map<string, Run>();
  /** Runs that somebody wants to hear of, and where. */
  readonly interest = new Map<string, string>();
  /** Replaces methods. */
  methods: Partial<ServiceImpl<typeof OwnerService>> = {};
  readonly #requests = new Map<string, string[]>();

  protected override begin(): Partial<ServiceImpl<typeof OwnerService>> {
    this.interest.clear();
    return { ...this.#service(), ...this.methods };
  }

  /** Makes a run final and tells whoever awaits it. */
  async finish(runIds: string[], output = "1", told = true): Promise<void> {
    const addresses = new Set<string>();
    for (const runId of runIds) {
      const run = this.runs.get(runId)!;
      run.state = RunState.COMPLETED;
      run.output = { $typeName: "runlane.v1.Payload", contentType: "", data: Buffer.from(output), metadata: {} };
      const address = this.interest.get(runId);
      if (address) addresses.add(address);
    }
    if (!told) return;
    // A notification, like every internal message, has less than 1 MiB.
    const together = Math.max(1, Math.floor(1_000_000 / (output.length + 64)));
    for (const address of addresses) {
      const results = runIds.filter((id) => this.interest.get(id) === address).map((id) => this.#result(id));
      while (results.length > 0) await this.notify(address, { results: results.splice(0, together) });
    }
  }

  /** Says something to a subscriber. */
  async notify(address: string, notice: MessageInitShape<typeof NotifyRequestSchema>): Promise<void> {
    const subscriber: Client<typeof SubscriberService> = createClient(SubscriberService, this.transport.to(address));
    await subscriber.notify({ epoch: this.epoch, ...notice });
  }

  #result(runId: string) {
    const { id, taskId, state, output } = this.runs.get(runId)!;
    return { runId: id, taskId, state, output };
  }

  #service(): Partial<ServiceImpl<typeof OwnerService>> {
    return {
      triggerRuns: (request) => {
        this.triggers.push(request);
        let runIds = this.#requests.get(request.requestId);
        if (!runIds) {
          runIds = request.items.map(({ taskId }) => {
            const id = `run_${this.runs.size + 1}`;
            this.runs.set(id, create(RunSchema, { id, taskId, state: RunState.QUEUED, maxAttempts: 3 }));
            return id;
          });
          this.#requests.set(request.requestId, runIds);
        }
        for (const index of request.awaitResults) this.interest.set(runIds[index]!, request.subscriber);
        return { outcomes: runIds.map((value) => ({ outcome: { case: "runId" as const, value } })) };
      },
      readRun: ({ runId }) => {
        const run = this.runs.get(runId);
        if (!run) throw refusal("RUN_NOT_FOUND", `there is no run ${runId}`);
        return { run };
      },
      stopRun: ({ runId, reason }) => {
        const run = this.runs.get(runId);
        if (!run) throw refusal("RUN_NOT_FOUND", `there is no run ${runId}`);
        if (run.state !== RunState.QUEUED) throw refusal("RUN_FINISHED", `run ${runId} has ended already`);
        run.state = RunState.CANCELED;
        run.failure = { $typeName: "runlane.v1.Failure", kind: 3, name: "", message: reason, stackTrace: "", code: "" };
        return { run };
      },
      readTasks: (request) => {
        this.taskReads.push(request);
        const all = Array.from({ length: 25 }, (_, i) => ({ id: `task-${String(i).padStart(2, "0")}` }));
        return { tasks: all.filter(({ id }) => id > request.after).slice(0, request.limit) };
      },
      readVersions: ({ before, limit }) => {
        const all = Array.from({ length: 12 }, (_, i) => ({ version: `20260101.${12 - i}`, current: i === 0 }));
        const from = before === "" ? 0 : all.findIndex(({ version }) => version === before) + 1;
        return { versions: all.slice(from, from + limit) };
      },
      promoteVersion: ({ version }) => {
        if (version !== "20260101.3") throw refusal("VERSION_NOT_FOUND", `there is no version ${version}`);
        return { version: { version, current: true } };
      },
      watchRuns: (request) => {
        this.watches.push(request);
        const known = (id: string) => this.runs.has(id);
        for (const id of [...request.results, ...request.changes].filter(known)) this.interest.set(id, request.subscriber);
        for (const id of request.unwatch) this.interest.delete(id);
        const results = request.results.filter((id) => this.runs.get(id)?.state === RunState.COMPLETED).map((id) => this.#result(id));
        const changes = request.changes.filter(known).map((id) => this.runs.get(id)!);
        while (results.length > 0) void this.notify(request.subscriber, { results: results.splice(0, 8) });
        if (changes.length > 0) void this.notify(request.subscriber, { changes });
        return { unknownRunIds: [...request.results, ...request.changes].filter((id) => !known(id)) };
      },
      recordPayload: () => ({}),
      relayFrames: () => ({}),
    };
  }
}
