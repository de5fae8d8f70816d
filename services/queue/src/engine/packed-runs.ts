import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { createPackedPage, empty, type PackedPage, packed, pageRows, taken } from "./packed-page.js";
import { isPlain, type PackedMore, type PackedTemplate, templateKeyOf, templateOf } from "./packed-template.js";
import { PayloadArena, type Spill } from "./payload-arena.js";
import type { ReadyList } from "./ready-list.js";
import { createExtras, type RunRecord } from "./run-record.js";

/** How much of a backlog is kept as records, and where the rest may go. */
export interface BacklogOptions {
  /** Ready runs that are kept as records; those that come then are packed. Default 10,000. */
  readonly records?: number | undefined;
  /** Bytes of packed payloads in memory if there is a spill; without one all stay there. Default 64 MiB. */
  readonly memoryBytes?: number | undefined;
  readonly spill?: Spill | undefined;
}

/** The packed runs of a list, in the order in which they are due, through numbers of runs: a chain. */
export interface Chain {
  /** Index of the list; 0: the chain is empty. */
  id: number;
  /** The first and the last run of it; 0: none. */
  head: number;
  tail: number;
}

/**
 * Runs far back in the backlog. A record costs some 700 bytes whatever its run does; a run that only waits for its turn differs from those around it in a few numbers and its payload, so
 * these are all that is kept of it: about 50 bytes and the payload, see docs/queues.md. Whoever asks for such a run by its number gets its record, which it is from then on; how a run is
 * kept is no part of the state.
 */
export class PackedRuns {
  readonly #arena: PayloadArena;
  readonly #most: number;
  readonly #pages = new Map<number, PackedPage>();
  readonly #templates: PackedTemplate[] = [];
  readonly #templateIndex = new Map<string, number>();
  #lastIndex = 0;
  /** What few runs have. */
  readonly #more = new Map<number, PackedMore>();
  /** Lists that have chains, by their index. */
  readonly #lists: (ReadyList | undefined)[] = [undefined];
  readonly #freeIds: number[] = [];
  /** Records that are in a list. */
  ready = 0;
  /** Whether it takes runs. */
  open = true;
  /** Runs that are packed. */
  size = 0;

  constructor({ records = 10_000, memoryBytes = 64 * 1024 * 1024, spill }: BacklogOptions) {
    this.#most = records;
    this.#arena = new PayloadArena(spill, memoryBytes);
  }

  /** Packs a run that waits for its first start, at the end of its list; false if it must stay a record. */
  pack(run: RunRecord, list: ReadyList): boolean {
    if (!this.open || this.ready < this.#most || !isPlain(run)) return false;
    const { number, orderMs } = run;
    const chain = list.runs;
    const row = number % pageRows;
    let page = this.#pages.get((number - row) / pageRows);
    if (page && page.state[row] !== empty) return false;
    if (chain.tail !== 0 && this.isBefore(run, chain.tail)) return false;
    const payload = run.payload?.data;
    if (payload && !this.#arena.takes(payload.length)) return false;
    const { template, batch, more } = templateOf(run, this.#templates[this.#lastIndex]);
    const index = this.#indexOf(template);
    if (index === undefined) return false;
    if (!page) {
      page = createPackedPage((number - row) / pageRows);
      this.#pages.set(page.index, page);
    }
    const inArena = payload !== undefined && !more?.payload;
    page.state[row] = packed;
    page.template[row] = index;
    page.list[row] = this.#idOf(list);
    page.bytes[row] = inArena ? payload.length : 0;
    page.at[row] = inArena ? this.#arena.put(payload) : 0;
    page.next[row] = 0;
    page.orderMs[row] = orderMs;
    page.createMs[row] = run.createMs;
    page.batch[row] = batch;
    page.rows += 1;
    if (more) this.#more.set(number, more);
    if (chain.tail === 0) chain.head = number;
    else this.#link(chain.tail, number);
    chain.tail = number;
    this.size += 1;
    return true;
  }

  has(number: number): boolean {
    return this.#pageOf(number)?.state[number % pageRows] === packed;
  }

  /** The record of a packed run, which stays packed; undefined if there is none. */
  see(number: number): RunRecord | undefined {
    const page = this.#pageOf(number);
    if (page?.state[number % pageRows] !== packed) return undefined;
    return this.#recordOf(number, page, number % pageRows);
  }

  /** Makes a record of a packed run; undefined if there is none. */
  take(number: number): RunRecord | undefined {
    const run = this.see(number);
    const page = this.#pageOf(number);
    if (!run || !page) return undefined;
    const row = number % pageRows;
    page.state[row] = taken;
    const bytes = page.bytes[row] as number;
    if (bytes > 0) this.#arena.drop(page.at[row] as number, bytes);
    this.#more.delete(number);
    this.size -= 1;
    run.list?.runs.push(run);
    return run;
  }

  /** The first of a chain; 0: it is empty. */
  headOf(chain: Chain): number {
    while (chain.head !== 0) {
      const page = this.#pageOf(chain.head) as PackedPage;
      const row = chain.head % pageRows;
      if (page.state[row] === packed) return chain.head;
      chain.head = page.next[row] as number;
      this.#release(page, row);
    }
    if (chain.id !== 0) this.#forget(chain);
    return 0;
  }

  /** Numbers of a chain, the first first. */
  *numbersOf(chain: Chain): Generator<number> {
    for (let number = this.headOf(chain); number !== 0; ) {
      const page = this.#pageOf(number) as PackedPage;
      const row = number % pageRows;
      const next = page.next[row] as number;
      if (page.state[row] === packed) yield number;
      number = next;
    }
  }

  /** Whether a record comes before a packed run of its list. */
  isBefore(run: { readonly number: number; readonly orderMs: number }, number: number): boolean {
    const orderMs = this.#orderOf(number);
    return run.orderMs < orderMs || (run.orderMs === orderMs && run.number < number);
  }

  /** All numbers of packed runs, in no order. */
  *numbers(): Generator<number> {
    for (const [index, { state }] of this.#pages) for (let row = 0; row < pageRows; row++) if (state[row] === packed) yield index * pageRows + row;
  }

  /** The list of a packed run. */
  listOf(number: number): ReadyList {
    return this.#lists[this.#pageOf(number)?.list[number % pageRows] as number] as ReadyList;
  }

  /** A list is made anew: its chain goes on in another, which has none. */
  move(from: Chain, list: ReadyList): void {
    const to: Chain = list.runs;
    to.id = from.id;
    to.head = from.head;
    to.tail = from.tail;
    this.#lists[to.id] = list;
    from.id = 0;
    from.head = 0;
    from.tail = 0;
  }

  #orderOf(number: number): number {
    return this.#pageOf(number)?.orderMs[number % pageRows] as number;
  }

  #pageOf(number: number): PackedPage | undefined {
    return this.#pages.get(Math.floor(number / pageRows));
  }

  #link(tail: number, next: number): void {
    const page = this.#pageOf(tail) as PackedPage;
    page.next[tail % pageRows] = next;
  }

  #release(page: PackedPage, row: number): void {
    page.state[row] = empty;
    page.rows -= 1;
    if (page.rows === 0) this.#pages.delete(page.index);
  }

  #forget(chain: Chain): void {
    this.#lists[chain.id] = undefined;
    this.#freeIds.push(chain.id);
    chain.id = 0;
    chain.tail = 0;
  }

  #idOf(list: ReadyList): number {
    const chain = list.runs;
    if (chain.id === 0) {
      chain.id = this.#freeIds.pop() ?? this.#lists.length;
      this.#lists[chain.id] = list;
    }
    return chain.id;
  }

  #indexOf(template: PackedTemplate): number | undefined {
    if (this.#templates[this.#lastIndex] === template) return this.#lastIndex;
    const key = templateKeyOf(template);
    let index = this.#templateIndex.get(key);
    if (index === undefined) {
      index = this.#templates.length;
      if (index > 0xffff) return undefined;
      this.#templates.push(template);
      this.#templateIndex.set(key, index);
    }
    this.#lastIndex = index;
    return index;
  }

  #recordOf(number: number, page: PackedPage, row: number): RunRecord {
    const list = this.#lists[page.list[row] as number] as ReadyList;
    const { contentType, hasExtras, ...template } = this.#templates[page.template[row] as number] as PackedTemplate;
    const more = this.#more.get(number);
    const { lane, slots } = list;
    const { taskId, machine } = list.line.need;
    const [createMs, orderMs] = [page.createMs[row] as number, page.orderMs[row] as number];
    const queueMs = more?.queueMs ?? createMs;
    const batch = page.batch[row] as number;
    const extras = more?.extras ?? (hasExtras ? { ...createExtras(), concurrencyKey: lane.key, priorityMs: queueMs - orderMs, batch } : undefined);
    let payload: Payload | undefined = more?.payload;
    if (!payload && contentType !== undefined) {
      const data = this.#arena.get(page.at[row] as number, page.bytes[row] as number);
      payload = { $typeName: "runlane.v1.Payload", contentType, data, metadata: {} };
    }
    return {
      number,
      environment: lane.queue.environment,
      taskId,
      queue: lane.queue,
      queueNamed: template.queueNamed,
      lane,
      slots: slots?.slice(),
      orderMs,
      tokens: 0,
      list,
      phase: "queued",
      attempt: 0,
      askedAttempts: template.askedAttempts,
      maxAttempts: template.maxAttempts,
      payload,
      createMs,
      queueMs,
      startMs: 0,
      finishMs: 0,
      retryAtMs: 0,
      version: "",
      askedVersion: "",
      machine,
      maxDurationSeconds: template.maxDurationSeconds,
      extras,
      session: undefined,
      epoch: 0n,
      nonce: 0n,
      ownProcess: false,
      output: undefined,
      failure: undefined,
      parent: more?.parent ?? 0,
      root: more?.root ?? 0,
      depth: more?.depth ?? 0,
      guardian: more?.guardian ?? 0,
      children: undefined,
      waiter: undefined,
      retired: false,
      waits: undefined,
      commands: undefined,
      journal: undefined,
    };
  }
}
