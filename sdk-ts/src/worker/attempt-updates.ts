import {
  type AttemptSettings,
  type UpdateRunCommand,
  type MetadataOperation as WireOperation,
  MetadataTarget as WireTarget,
} from "#gen/runlane/v1/worker_service_pb.js";
import { errorOfStatus } from "../client/grpc-error.js";
import { homeClient } from "../client/runlane-client.js";
import { apiErrorOf, throwApiError } from "../errors/api-error.js";
import { applyOperation, type MetadataOperation, type MetadataTarget } from "../metadata/metadata-operation.js";
import { maxMetadataBytes, type RunMetadata, runMetadataOf } from "../metadata/metadata-value.js";
import { PendingOperations } from "../metadata/pending-operations.js";
import type { RunUpdates } from "../runtime/run-updates.js";
import { maxTags } from "../tags/tag-list.js";
import type { Attempt } from "./attempt.js";

/** How long after changes have left the next ones leave by themselves, in milliseconds: each time costs the server a record of all the metadata. Trigger.dev's period. */
const periodMs = 1_000;
/** Operations of a command, and characters of their keys and values. A frame has at most 512 KiB. */
const maxOperations = 500;
const maxLength = 300 * 1_024;

const targets: Record<MetadataTarget, WireTarget> = { self: WireTarget.SELF, parent: WireTarget.PARENT, root: WireTarget.ROOT };

/** What updates need of their attempt. */
export interface UpdatesHost {
  /** Tags at the start of the attempt. */
  readonly tags: readonly string[];
  /** Metadata at the start of the attempt. */
  readonly metadata: RunMetadata;
  /** The code runs once more, and what it changes was changed before. Default false. */
  readonly replaying?: boolean;
  /** The run has a parent, so that parent and root are other runs. */
  readonly hasParent: boolean;
  /** Sends a command; resolves with the server's refusal, if there is one. Rejects if the attempt is stopped. */
  send(command: UpdateRunCommand): Promise<Error | undefined>;
  /** Reads the run's metadata from the server. */
  read(): Promise<RunMetadata>;
  /** Prints that the server has refused changes. */
  refused(error: Error): void;
}

/**
 * Tags and metadata of a run while an attempt executes it. Changes are gathered: the first leave in the turn in which they were made, later ones a second after those before, and all of them
 * with a flush. One command is on its way at a time, so that they arrive in their order.
 */
export class AttemptUpdates implements RunUpdates {
  readonly #host: UpdatesHost;
  readonly #pending: Record<MetadataTarget, PendingOperations> = {
    self: new PendingOperations(),
    parent: new PendingOperations(),
    root: new PendingOperations(),
  };
  readonly #tags: Set<string>;
  #metadata: RunMetadata;
  /** At least as many bytes as the metadata has as JSON. */
  #size: number;
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  /** Settles when nothing is on its way any more; never rejects. */
  #sending: Promise<void> = Promise.resolve();

  constructor(host: UpdatesHost) {
    this.#host = host;
    this.#tags = new Set(host.tags);
    this.#metadata = host.metadata;
    this.#size = sizeOf(host.metadata);
  }

  get metadata(): RunMetadata {
    return this.#metadata;
  }

  change(target: MetadataTarget, operation: MetadataOperation): void {
    if (this.#host.replaying) return;
    const actual = this.#host.hasParent ? target : "self";
    if (actual === "self") this.#apply(operation);
    this.#pending[actual].add(operation);
    this.#schedule();
  }

  async flush(): Promise<void> {
    this.#stopTimer();
    const commands = this.#commands();
    if (commands.length === 0) return this.#sending;
    this.#sentAt = performance.now();
    return (this.#sending = this.#sendAll(this.#sending, commands));
  }

  async refresh(): Promise<void> {
    await this.flush();
    const read = await this.#host.read();
    this.#metadata = this.#pending.self.all().reduce(applyOperation, read);
    this.#size = sizeOf(this.#metadata);
  }

  async addTags(tags: readonly string[]): Promise<string[]> {
    const leftOut = tags.filter((tag) => {
      if (!this.#tags.has(tag) && this.#tags.size >= maxTags) return true;
      this.#tags.add(tag);
      return false;
    });
    if (this.#host.replaying) return leftOut;
    await this.flush();
    if (leftOut.length < tags.length) {
      const addTags = tags.filter((tag) => !leftOut.includes(tag));
      const refusal = await this.#host.send({ $typeName: "runlane.v1.UpdateRunCommand", addTags, metadata: [] });
      if (refusal) throw apiErrorOf(refusal);
    }
    return leftOut;
  }

  /** Something was changed, and may not be on the server so far. */
  get unsettled(): boolean {
    return this.#timer !== undefined || this.#sentAt !== Number.NEGATIVE_INFINITY;
  }

  /** Something was changed, and has not left so far. */
  get pending(): boolean {
    return this.#timer !== undefined;
  }

  /** Sends nothing more: nobody would hear it. */
  stop(): void {
    this.#stopTimer();
    for (const pending of Object.values(this.#pending)) pending.take();
  }

  #apply(operation: MetadataOperation): void {
    const added = operation.type === "delete" ? 0 : JSON.stringify(operation).length * 4;
    if (this.#size + added <= maxMetadataBytes) {
      this.#metadata = applyOperation(this.#metadata, operation);
      this.#size += added;
      return;
    }
    // Nothing of a change that goes too far must stay.
    const changed = applyOperation(structuredClone(this.#metadata), operation);
    const size = sizeOf(changed);
    if (size > maxMetadataBytes) throw new Error(`metadata would have ${size} bytes as JSON, and at most ${maxMetadataBytes} are allowed`);
    this.#metadata = changed;
    this.#size = size;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.flush();
      },
      Math.max(0, this.#sentAt + periodMs - performance.now()),
    );
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Takes what is pending, as commands. Each is for one run: what is refused for one must not hold up what others are to have. */
  #commands(): UpdateRunCommand[] {
    return (["self", "parent", "root"] as const).flatMap((target) =>
      inCommands(this.#pending[target].take().map((operation) => wireOperation(target, operation))),
    );
  }

  async #sendAll(before: Promise<void>, commands: readonly UpdateRunCommand[]): Promise<void> {
    await before;
    try {
      for (const command of commands) {
        const refusal = await this.#host.send(command);
        if (refusal) this.#host.refused(refusal);
      }
    } catch {
      // The attempt was stopped: its changes count no more.
    }
  }
}

/** Splits operations into as many commands as their number and size ask for. */
function inCommands(operations: readonly WireOperation[]): UpdateRunCommand[] {
  const commands: UpdateRunCommand[] = [];
  let room = 0;
  for (const operation of operations) {
    const length = lengthOf(operation);
    const last = commands.at(-1);
    if (last === undefined || length > room || last.metadata.length === maxOperations) {
      commands.push({ $typeName: "runlane.v1.UpdateRunCommand", addTags: [], metadata: [operation] });
      room = maxLength - length;
    } else {
      last.metadata.push(operation);
      room -= length;
    }
  }
  return commands;
}

/** The updates of an attempt. `settings` is what its assignment has of them. */
export function updatesOf(attempt: Attempt, settings: AttemptSettings | undefined): AttemptUpdates {
  return new AttemptUpdates({
    tags: settings?.tags ?? [],
    metadata: runMetadataOf(settings?.metadata),
    get replaying() {
      return attempt.replaying;
    },
    hasParent: attempt.ctx.run.parentTaskRunId !== undefined,
    async send(command) {
      const { error } = await attempt.commands.ask({ case: "updateRun", value: command });
      return error && errorOfStatus(error);
    },
    async read() {
      const { run } = await homeClient().runs.getRun({ runId: attempt.ctx.run.id }).catch(throwApiError);
      return runMetadataOf(run?.metadata);
    },
    refused: (error) => attempt.log("error", `the server has refused changes of tags or metadata: ${error.message}`, undefined),
  });
}

function wireOperation(target: MetadataTarget, operation: MetadataOperation): WireOperation {
  const wire = (key: string, change: WireOperation["operation"]): WireOperation => {
    return { $typeName: "runlane.v1.MetadataOperation", target: targets[target], key, operation: change };
  };
  switch (operation.type) {
    case "set":
    case "append":
    case "remove":
      return wire(operation.key, { case: operation.type, value: JSON.stringify(operation.value) });
    case "delete":
      return wire(operation.key, { case: "delete", value: true });
    case "increment":
      return wire(operation.key, { case: "increment", value: operation.value });
    case "replace":
      return wire("", { case: "replace", value: JSON.stringify(operation.value) });
  }
}

function lengthOf({ key, operation }: WireOperation): number {
  return 64 + Buffer.byteLength(key) + (typeof operation.value === "string" ? Buffer.byteLength(operation.value) : 0);
}

function sizeOf(metadata: RunMetadata): number {
  return Buffer.byteLength(JSON.stringify(metadata));
}
